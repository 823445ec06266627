/** The admin port: moves markets, gives money, sets fault switches, and tells what happened. Not part of Binance. */
import type { FastifyInstance } from "fastify";
import fastify from "fastify";
import { formatMoney, parseMoney } from "../../domain/amounts.ts";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { parsePrice } from "../../domain/instrument.ts";
import type { MarketDriver } from "./drive-markets.ts";
import type { Faults } from "./faults.ts";
import { readSwitches } from "./faults.ts";
import type { Gateway } from "./gateway.ts";
import type { CommandLog } from "./group-commit.ts";
import type { PastAnswers } from "./past-answers.ts";
import type { Floor } from "./route.ts";
import type { Streams } from "./streams.ts";

export interface AdminOptions {
  readonly floor: Floor;
  readonly accounts: ReadonlySet<string>;
  readonly gateway: Gateway;
  readonly faults: Faults;
  readonly streams: Streams;
  readonly driver: MarketDriver;
  readonly commands: CommandLog;
  readonly now: () => Instant;
  /** How far the venue's clock is ahead of this machine's, ms. */
  readonly clock: { offsetMs: number };
  readonly past: PastAnswers;
  readonly snapshot: () => Promise<void>;
}

type Body = Readonly<Record<string, unknown>>;

/** Listens to this machine's own programs only: pages of other origins cannot send JSON or another Host. */
export function createAdmin(options: AdminOptions): FastifyInstance {
  const { floor, gateway, faults, streams, driver, commands, now, clock } = options;
  const { world, listings } = floor;
  const app = fastify({ forceCloseConnections: true });
  const durable = async (): Promise<void> => new Promise((done) => commands.whenDurable(done));
  app.addHook("onRequest", async (request, reply) => {
    const host = (request.headers.host ?? "").replace(/:\d+$/, "");
    if (!/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host)) {
      return reply.code(403).send({ error: "this Host is not served" });
    }
  });
  app.setErrorHandler<Error & { readonly statusCode?: number }>(async (error, _, reply) => {
    const isOurs = error instanceof QuantmeshError && error.code !== "INVARIANT";
    return reply.code(isOurs ? 400 : (error.statusCode ?? 500)).send({ error: error.message });
  });
  app.get("/status", async () => ({
    time: now(),
    clockOffsetMs: clock.offsetMs,
    maintenance: gateway.isClosedForMaintenance,
    marketsPaused: driver.isPaused,
    connections: streams.size,
    slowClientsCutOff: streams.cutOff,
    ...gateway.counts(),
    faults: faults.counts(),
    symbols: Object.fromEntries(
      listings.all.map(({ id, symbol }) => {
        const price = world.reads.price(symbol);
        return [id, { price: price?.price, points: world.points(symbol) }];
      }),
    ),
  }));
  app.post<{ Body: Body }>("/move", async ({ body }) => {
    const { symbol, instrument } = listingNamed(floor, body);
    const share = body["share"] ?? 1;
    if (typeof share !== "number" || !(share > 0 && share <= 1))
      throw wrong("share must be above 0, at most 1");
    const price = parsePrice(instrument, textOf(body, "price"));
    if (price <= 0) throw wrong("price must be above 0");
    const { effects } = world.move(symbol, price, share, now());
    await durable();
    return { fills: effects.fills.length };
  });
  app.post<{ Body: Body }>("/deposit", async ({ body }) => {
    const amount = parseMoney(textOf(body, "amount"));
    if (amount < 0n) throw wrong("amount must not be below 0");
    const [account, asset] = [textOf(body, "account"), textOf(body, "asset")];
    if (!options.accounts.has(account)) throw wrong(`there is no account ${account}`);
    if (!/^[A-Za-z0-9]{1,20}$/.test(asset)) throw wrong("asset must be letters and digits, like USDT");
    world.deposit(account, asset, amount, now());
    await durable();
    return {};
  });
  app.get<{ Querystring: { readonly account?: string } }>("/balances", async ({ query }) => {
    await durable();
    return world.reads.balances(query.account ?? "").map(({ asset, free, locked }) => ({
      asset,
      free: formatMoney(free),
      locked: formatMoney(locked),
    }));
  });
  app.get("/faults", async () => ({ switches: faults.switches, counts: faults.counts() }));
  app.put("/faults", async ({ body }) => {
    faults.set(readSwitches(body));
    options.past.keep(faults.oldestAnswerMs, now());
    return { switches: faults.switches };
  });
  app.delete("/faults", async () => {
    faults.set([]);
    options.past.keep(undefined, now());
    return {};
  });
  // Time never runs backwards: a clock that is set back stands still until the real time is there.
  app.post<{ Body: Body }>("/clock", async ({ body }) => {
    clock.offsetMs = wholeNumber(body, "offset_ms");
    return { time: now() };
  });
  app.post<{ Body: Body }>("/maintenance", async ({ body }) => {
    gateway.isClosedForMaintenance = body["on"] === true;
    if (gateway.isClosedForMaintenance) streams.disconnectAll();
    return { maintenance: gateway.isClosedForMaintenance };
  });
  app.post("/disconnect", async () => {
    const connections = streams.size;
    streams.disconnectAll();
    return { connections };
  });
  app.post("/pause", async () => {
    driver.pause();
    return {};
  });
  app.post("/resume", async () => {
    driver.resume();
    return {};
  });
  app.post("/limits/reset", async () => {
    floor.limits.reset();
    return {};
  });
  app.post("/snapshot", async () => {
    await options.snapshot();
    return {};
  });
  /** Everything, as text: two venues that answer the same are the same. */
  app.get("/state", async (_, reply) => {
    await durable();
    const state = JSON.stringify(
      { world: world.state(), data: floor.data.state(), notes: floor.notes.state() },
      (_key, field: unknown) => (typeof field === "bigint" ? String(field) : field),
    );
    return reply.type("application/json").send(state);
  });
  return app;
}

function listingNamed({ listings }: Floor, body: Body) {
  const name = textOf(body, "symbol");
  const listing = listings.bySymbol.get(name) ?? listings.byId.get(name);
  if (!listing) throw wrong(`there is no symbol ${name}`);
  return listing;
}

function textOf(body: Body | undefined, name: string): string {
  const value = body?.[name];
  if (typeof value === "string" && value !== "") return value;
  throw wrong(`${name} must be text`);
}

function wholeNumber(body: Body | undefined, name: string): number {
  const value = body?.[name];
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  throw wrong(`${name} must be a whole number`);
}

function wrong(message: string): QuantmeshError {
  return new QuantmeshError("DATA_INVALID", message);
}
