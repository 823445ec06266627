/** One WebSocket client: answers come as they are, events pass the fault switches. */
import type { WebSocket } from "ws";
import type { Faults } from "./faults.ts";

/** A client that reads so slowly that this much waits for it is cut off: it would hold the whole venue's memory. */
const MOST_BUFFERED_BYTES = 1024 * 1024;

export class StreamConnection {
  readonly #socket: WebSocket;
  readonly #stream: "user" | "market";
  readonly #faults: Faults;
  #silentUntil = 0;
  /** A message that waits for the one after it. */
  #heldBack: Buffer | undefined = undefined;
  readonly #onSlow: () => void;

  /** `onSlow` is called when the client is cut off because it does not read. */
  constructor(socket: WebSocket, stream: "user" | "market", faults: Faults, onSlow: () => void) {
    this.#socket = socket;
    this.#stream = stream;
    this.#faults = faults;
    this.#onSlow = onSlow;
  }

  /** The answer to a request. */
  answer(text: string): void {
    this.#send(Buffer.from(text));
  }

  /** Something happened; `text` may be shared by all who are told of it. */
  tell(text: Buffer): void {
    if (this.#silentUntil > 0 && performance.now() < this.#silentUntil) return;
    const fault = this.#faults.ofMessage(this.#stream);
    switch (fault?.kind) {
      case "stream_disconnect":
        return this.#socket.terminate();
      case "stream_silence":
        this.#silentUntil = performance.now() + fault.delayMs;
        return;
      case "missing_event":
        return;
      case "reordered_event":
        if (this.#heldBack === undefined) {
          this.#heldBack = text;
          return;
        }
        break;
      case "duplicate_event":
        this.#send(text);
        break;
      case undefined:
        break;
    }
    this.#send(text);
    if (this.#heldBack === undefined) return;
    const late = this.#heldBack;
    this.#heldBack = undefined;
    this.#send(late);
  }

  #send(text: Buffer): void {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > MOST_BUFFERED_BYTES) {
      this.#onSlow();
      return socket.terminate();
    }
    socket.send(text, AS_TEXT);
  }
}

const AS_TEXT = { binary: false };
