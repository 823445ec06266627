/** The members of one etcd cluster: each call goes to the member that answered last, and on to the next where it fails. */
import type { IOptions } from "etcd3";
import { Etcd3 } from "etcd3";
import { LockUnavailable, reasonOf } from "./unavailable.ts";

export interface EtcdAccess {
  /** `http://host:port` or `https://host:port`. */
  readonly hosts: readonly string[];
  readonly username?: string;
  readonly password?: string;
}

export interface CallOptions {
  readonly deadline: number;
}

/** What every answer of etcd tells beside what was asked for. */
interface Answered {
  readonly header: { readonly revision: string };
}

type Policy = NonNullable<NonNullable<IOptions["faultHandling"]>["global"]>;

/** A share of the limit for the first member, so that another one can still be asked in time. */
const ATTEMPTS = 2;

export class EtcdNodes {
  readonly #clients: readonly Etcd3[];
  readonly #hosts: readonly string[];
  readonly #timeoutMs: number;
  #preferred = 0;
  /** The highest revision that an answer has told of. */
  #newest = 0n;
  #restores = 0;

  constructor({ hosts, username, password }: EtcdAccess, timeoutMs: number) {
    this.#hosts = hosts;
    this.#timeoutMs = timeoutMs;
    this.#clients = hosts.map(
      (host) =>
        new Etcd3({
          hosts: host,
          ...(username !== undefined && password !== undefined ? { auth: { username, password } } : {}),
          dialTimeout: timeoutMs,
          grpcOptions: {
            "grpc.initial_reconnect_backoff_ms": 100,
            "grpc.min_reconnect_backoff_ms": 100,
            "grpc.max_reconnect_backoff_ms": 1_000,
          },
          // What was not answered is asked again only by those who know what that means.
          faultHandling: { host: () => ONCE, global: ONCE },
        }),
    );
  }

  /** How often etcd was seen to be restored to an earlier state: its revisions begin again below those it had told of. */
  get restores(): number {
    return this.#restores;
  }

  /**
   * Does `work`, which must bear being done twice. Throws LockUnavailable where no member answered in time; what was
   * asked may then have been done, or be done yet.
   */
  async call<Answer extends Answered>(
    work: (client: Etcd3, options: CallOptions) => Promise<Answer>,
  ): Promise<Answer> {
    const started = performance.now();
    const [known, restores] = [this.#newest, this.#restores];
    const perAttempt = this.#clients.length === 1 ? this.#timeoutMs : this.#timeoutMs / ATTEMPTS;
    for (;;) {
      const asked = this.#preferred;
      const left = started + this.#timeoutMs - performance.now();
      const limitMs = Math.min(perAttempt, left);
      try {
        const client = this.#clients[asked] as Etcd3;
        const answer = await within(limitMs, work(client, { deadline: Date.now() + limitMs }));
        this.#note(BigInt(answer.header.revision), known, restores);
        return answer;
      } catch (error) {
        if (this.#preferred === asked) this.#preferred = (asked + 1) % this.#clients.length;
        const isOver = performance.now() + 1 >= started + this.#timeoutMs;
        if (isOver || this.#clients.length === 1) {
          throw new LockUnavailable(
            `lock service etcd ${this.#hosts[asked]}: ${reasonOf(error)}`,
            true,
            error,
          );
        }
        // Members that refuse at once must not be asked in a hot loop.
        await new Promise((done) => setTimeout(done, RETRY_PAUSE_MS));
      }
    }
  }

  /** No answer is older than its question. Another call may have found the same restore meanwhile. */
  #note(revision: bigint, known: bigint, restores: number): void {
    if (revision < known && restores === this.#restores) {
      this.#restores += 1;
      this.#newest = revision;
    } else if (revision > this.#newest) this.#newest = revision;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }
}

const RETRY_PAUSE_MS = 20;

/** The deadline of gRPC does not cover the time that its connection takes to be made. */
async function within<Answer>(limitMs: number, answer: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${Math.round(limitMs)} ms`)), limitMs);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
    // The other one may fail later, when nobody listens any more.
    answer.catch(() => undefined);
  }
}

const NEVER = new AbortController().signal;

/** The fault handling of etcd3 that does nothing: by default it would repeat what may have been done. */
const ONCE: Policy = {
  _altReturn: undefined as never,
  execute: async (work, signal = NEVER) => work({ signal }),
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
};
