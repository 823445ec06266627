/** Many who listen at once, and some who do not read what they asked for. */
import { once } from "node:events";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { scaled } from "../support/scale.ts";
import { listen } from "../support/stream-client.ts";
import { placeLimit } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const CONNECTIONS = scaled(10_000);
const OPENED_AT_ONCE = 200;
const UPDATES = 5;
const WITHIN = { timeout: 60_000 };

let venue: VenueProcess | undefined;

afterEach(async () => {
  await venue?.server.stop();
  venue = undefined;
});

describe("many connections", () => {
  it(`tells ${CONNECTIONS} listeners of a ticker each second, every one of every update`, async () => {
    venue = await startVenueProcess({
      symbols: {
        "BTC/USDT": {
          tick_size: "0.01",
          lot_size: "0.00001",
          market: { type: "walk", start_price: "60000", step: "5", step_ms: "1000" },
        },
      },
    });
    const told: number[][] = [];
    const sockets: WebSocket[] = [];
    while (sockets.length < CONNECTIONS) {
      const count = Math.min(OPENED_AT_ONCE, CONNECTIONS - sockets.length);
      const opened = Array.from({ length: count }, () => openTicker(venue as VenueProcess, told));
      sockets.push(...(await Promise.all(opened)));
    }
    expect((await venue.admin.status()).connections).toBe(CONNECTIONS);
    const begun = told.map((times) => times.length);
    await vi.waitFor(() => {
      expect(told.every((times, index) => times.length >= (begun[index] ?? 0) + UPDATES)).toBe(true);
    }, WITHIN);
    // Each heard the same updates as the first one did, since it listened.
    const reference = told[0] ?? [];
    for (const times of told) {
      const from = reference.indexOf(times[0] ?? 0);
      const length = Math.min(times.length, reference.length - from);
      expect(times.slice(0, length)).toEqual(reference.slice(from, from + length));
    }
    expect((await placeLimit(venue, "meanwhile", "BUY", "50000", "0.001")).status).toBe(200);
    for (const socket of sockets) socket.terminate();
    await vi.waitFor(async () => expect((await venue?.admin.status())?.connections).toBe(0), WITHIN);
  });

  it("cuts off who does not read, before it costs memory, and nobody else", async () => {
    venue = await startVenueProcess();
    const { admin } = venue;
    const reader = await listen(venue, "/ws/btcusdt@depth20@100ms");
    const names = ["trade", "aggTrade", "bookTicker", "ticker", "miniTicker", "depth5", "depth10", "depth20"];
    const deaf = await listen(venue, `/ws/${names.map((name) => `btcusdt@${name}`).join("/")}`);
    deaf.socket.pause();
    const status = async () => admin.call("GET", "/status") as Promise<{ slowClientsCutOff: number }>;
    // Each of these small requests has a large answer, which fills what the machine itself keeps for a connection first.
    while ((await status()).slowClientsCutOff === 0) {
      for (let request = 0; request < 1_000; request += 1)
        deaf.send({ method: "LIST_SUBSCRIPTIONS", id: request });
    }
    expect((await status()).slowClientsCutOff).toBe(1);
    await vi.waitFor(async () => expect((await admin.status()).connections).toBe(1), WITHIN);
    await admin.move("BTC/USDT", "60001");
    await vi.waitFor(() => expect(reader.all().at(-1)).toHaveProperty("bids.0.0", "60001.00000000"), WITHIN);
    expect(reader.socket.readyState).toBe(WebSocket.OPEN);
    deaf.socket.terminate();
    reader.close();
  });
});

/** Opens one connection whose event times go to a list of its own. */
async function openTicker({ wsUrl }: VenueProcess, told: number[][]): Promise<WebSocket> {
  const times: number[] = [];
  told.push(times);
  const socket = new WebSocket(`${wsUrl}/ws/btcusdt@ticker`);
  socket.on("message", (data: Buffer) => {
    times.push(Number(/"E":(\d+)/.exec(data.toString("latin1"))?.[1]));
  });
  await once(socket, "open");
  return socket;
}
