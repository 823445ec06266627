/**
 * Signed orders over HTTP: the venue with its journal on, against node:http that only parses and verifies. And ten
 * thousand listeners of a ticker that changes each second: how late they hear of it, and what they cost.
 */
import { fork } from "node:child_process";
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseMoney, priceTicks, quantityLots } from "../src/domain/amounts.ts";
import { createInstrument } from "../src/domain/instrument.ts";
import type { Log } from "../src/domain/log.ts";
import type { PriceSource } from "../src/venue/server/options.ts";
import type { VenueServer } from "../src/venue/server/start-venue.ts";
import { startVenue } from "../src/venue/server/start-venue.ts";
import type { BenchResult } from "./bench.ts";
import { collectGarbage, spreadOf } from "./bench.ts";

const KEY = { key: "bench-key", secret: "bench-secret" };
const ORDERS = 40_000;
const CONNECTIONS = 512;
const ROUNDS = 5;
const LISTENERS = 10_000;
const LISTEN_SECONDS = 6;
const MB = 1_000_000;

interface Load {
  readonly seconds: number;
  readonly accepted: number;
  readonly p50: number;
  readonly p99: number;
}

interface Round {
  /** Answers per second of real time, and per second of this process's CPU. */
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly p99: number;
}

export async function benchVenue(): Promise<readonly BenchResult[]> {
  // First, while nothing else has been in memory.
  const listeners = await measureListeners();
  const venue: Round[] = [];
  const bare: Round[] = [];
  for (let round = -1; round < ROUNDS; round += 1) {
    const rounds = [await measureVenue(), await measureBare()] as const;
    // The compiler optimises while the first round runs.
    if (round < 0) continue;
    venue.push(rounds[0]);
    bare.push(rounds[1]);
  }
  const result = (name: string, unit: string, of: (round: Round) => number): BenchResult => {
    const { median, min, max } = spreadOf(venue.map(of));
    const reference = { name: "node:http, parse and HMAC", value: spreadOf(bare.map(of)).median };
    return { name, value: median, unit, min, max, reference, ratio: median / reference.value };
  };
  return [
    result("venue: signed orders", "orders/s", ({ perSecond }) => perSecond),
    result("venue: signed orders, one core", "orders/CPU s", ({ perCpuSecond }) => perCpuSecond),
    result("venue: order p99", "ms", ({ p99 }) => p99),
    ...listeners,
  ];
}

async function measureVenue(): Promise<Round> {
  return withVenue({ kind: "manual", startPrice: START_PRICE }, async ({ port }) => load(port));
}

/** Runs `work` on a venue with a journal in a folder of its own. */
async function withVenue<Result>(
  source: PriceSource,
  work: (server: VenueServer) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-bench-venue-"));
  const server = await startVenue({
    host: "127.0.0.1",
    port: 0,
    adminPort: 0,
    symbols: [
      {
        instrument: createInstrument({
          exchange: "binance",
          symbol: "BTC/USDT",
          tickSize: "0.01",
          lotSize: "0.00001",
          makerFee: "0.001",
          takerFee: "0.001",
        }),
        filters: {
          minPrice: priceTicks(1),
          maxPrice: priceTicks(100_000_000),
          minQuantity: quantityLots(1),
          maxQuantity: quantityLots(900_000_000),
          minNotional: parseMoney("5"),
          maxNotional: parseMoney("9000000"),
          maxOpenOrders: 10_000_000,
        },
        fill: "touch",
        source,
      },
    ],
    accounts: [{ name: "bench", balances: { USDT: parseMoney("1000000000000") } }],
    keys: [{ ...KEY, account: "bench", permissions: ["read", "trade"] }],
    feeAsset: "base",
    selfTrade: "expire_maker",
    limits: { weightPerMinute: 1e9, ordersPer10Seconds: 1e9, ordersPerDay: 1e9, banMs: 1 },
    folder,
    snapshotEvery: 1e9,
    seed: 1,
    refuseReplays: true,
    log: SILENT,
  });
  try {
    return await work(server);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

async function measureBare(): Promise<Round> {
  const secret = createSecretKey(Buffer.from(KEY.secret));
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
    request.on("end", () => {
      const at = body.lastIndexOf("&signature=");
      const given = Buffer.from(body.slice(at + 11), "hex");
      const isRight = timingSafeEqual(given, createHmac("sha256", secret).update(body.slice(0, at)).digest());
      const id = new URLSearchParams(body).get("newClientOrderId");
      const text = `{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"${id ?? ""}"}`;
      response.writeHead(isRight ? 200 : 400, { "Content-Length": text.length });
      response.end(text);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await load((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function load(port: number): Promise<Round> {
  const options = JSON.stringify({ port, ...KEY, count: ORDERS, connections: CONNECTIONS });
  const child = fork(resolve("bench/venue-load.mjs"), [options]);
  await once(child, "message");
  const before = process.cpuUsage();
  child.send("go");
  const [answer] = (await once(child, "message")) as [Load];
  const { user, system } = process.cpuUsage(before);
  if (answer.accepted !== ORDERS)
    throw new Error(`only ${answer.accepted} of ${ORDERS} orders were accepted`);
  return {
    perSecond: ORDERS / answer.seconds,
    perCpuSecond: ORDERS / ((user + system) / 1e6),
    p99: answer.p99,
  };
}

interface Heard {
  readonly updates: number;
  /** Connections that ended. */
  readonly cut: number;
  /** From the event's own time to its arrival, ms. */
  readonly p50: number;
  readonly p99: number;
}

async function measureListeners(): Promise<readonly BenchResult[]> {
  const walk = { seed: 1, startPrice: START_PRICE, stepTicks: 500, stepMs: 1_000, reversion: 1_000 };
  return withVenue({ kind: "walk", ...walk }, async ({ port }) => {
    collectGarbage();
    const before = process.memoryUsage().rss;
    const options = { port, connections: LISTENERS, seconds: LISTEN_SECONDS, stream: "btcusdt@ticker" };
    const child = fork(resolve("bench/venue-listeners.mjs"), [JSON.stringify(options)]);
    await once(child, "message");
    child.send("go");
    const cpu = process.cpuUsage();
    const [heard] = (await once(child, "message")) as [Heard];
    const { user, system } = process.cpuUsage(cpu);
    if (heard.cut > 0 || heard.updates < LISTENERS * (LISTEN_SECONDS - 2))
      throw new Error(`${heard.updates} updates came, ${heard.cut} connections ended`);
    const one = (name: string, unit: string, value: number): BenchResult => ({
      name: `venue: 10k tickers, ${name}`,
      value,
      unit,
      min: value,
      max: value,
    });
    return [
      one("updates", "updates/s", heard.updates / LISTEN_SECONDS),
      one("lag p50", "ms", heard.p50),
      one("lag p99", "ms", heard.p99),
      one("CPU", "% of a core", (user + system) / LISTEN_SECONDS / 1e4),
      one("memory", "MB", (process.memoryUsage().rss - before) / MB),
    ];
  });
}

const START_PRICE = priceTicks(6_000_000);

const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
};
