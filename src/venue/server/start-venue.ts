/** Builds a venue server out of its parts and starts it. */
import type { FastifyInstance } from "fastify";
import { QuantmeshError } from "../../domain/errors.ts";
import type { Instant } from "../../domain/ids.ts";
import { accountRoutes } from "./account-routes.ts";
import { createAdmin } from "./admin.ts";
import { describeVenue } from "./describe-venue.ts";
import { driveMarkets, startPriceOf } from "./drive-markets.ts";
import { Faults } from "./faults.ts";
import { Gateway } from "./gateway.ts";
import type { CommandLog } from "./group-commit.ts";
import { FORGETFUL } from "./group-commit.ts";
import { createHttpServer } from "./http-server.ts";
import { KeyTable } from "./key-table.ts";
import { listingOf } from "./listing.ts";
import { MarketData } from "./market-data.ts";
import { marketRoutes } from "./market-routes.ts";
import type { VenueServerOptions } from "./options.ts";
import { OrderNotes } from "./order-notes.ts";
import { orderRoutes } from "./order-routes.ts";
import { PastAnswers } from "./past-answers.ts";
import { RateLimits } from "./rate-limits.ts";
import { ReplayGuard } from "./replay-guard.ts";
import type { Floor } from "./route.ts";
import { Streams } from "./streams.ts";
import { VenueStore } from "./venue-store.ts";
import { VenueWorld } from "./venue-world.ts";

export interface VenueServer {
  /** `http://host:port`; streams are at the same place. */
  readonly url: string;
  readonly port: number;
  readonly adminPort: number;
  /** Rejects when the journal could not be written: nothing is answered any more. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

/**
 * Starts a venue where its journal left it. Throws CONFIG_INVALID or DATA_INVALID where the journal's folder is
 * another venue's or damaged, PORT_IN_USE where another program listens.
 */
export async function startVenue(options: VenueServerOptions): Promise<VenueServer> {
  const { log, symbols, limits: terms } = options;
  const listed = symbols.map(listingOf);
  const world = new VenueWorld(options);
  const floor: Floor = {
    world,
    data: new MarketData(
      symbols.map(({ instrument }) => instrument),
      world.isUnlimited,
    ),
    notes: new OrderNotes(),
    limits: new RateLimits(terms),
    terms,
    listings: {
      all: listed,
      byId: new Map(listed.map((listing) => [listing.id, listing])),
      bySymbol: new Map(listed.map((listing) => [listing.symbol, listing])),
    },
  };
  let publish: Streams["publish"] = () => undefined;
  const past = new PastAnswers(world, options.accounts, symbols);
  world.listen((happening) => {
    floor.notes.note(happening);
    past.note(happening);
    publish(happening, floor.data.note(happening));
  });

  const store = options.folder === undefined ? undefined : await recover(options.folder, options, floor);
  let fail: (error: QuantmeshError) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Nobody has to listen.
  failed.catch(() => undefined);
  const commands: CommandLog =
    store?.write((cause) => {
      const message = `cannot write the venue's journal in ${options.folder ?? ""}`;
      fail(new QuantmeshError("STORAGE_UNAVAILABLE", message, { cause }));
    }) ?? FORGETFUL;
  const snapshot = async (): Promise<void> =>
    store?.takeSnapshot({ world: world.state(), data: floor.data.state(), notes: floor.notes.state() });
  takeSnapshots(world, options.snapshotEvery, () => {
    // What could not be written now is written next time: the journal has all of it.
    snapshot().catch((error: unknown) => log.error({ error }, "venue.snapshot_failed"));
  });
  world.writeTo(commands);

  const clock = { offsetMs: 0 };
  const now = (): Instant => world.tell((Date.now() + clock.offsetMs) as Instant);
  begin(options, world, now());

  const faults = new Faults(options.seed);
  const keys = new KeyTable(options.keys);
  const routes = [...orderRoutes(floor), ...accountRoutes(floor), ...marketRoutes(floor)];
  // Not by a clock that was ahead before and stands still now: its clients' may be right.
  const begun = Math.min(world.time, Date.now());
  const replays = options.refuseReplays ? new ReplayGuard(begun) : undefined;
  const gateway = new Gateway({ floor, routes, keys, faults, commands, now, past, replays, log });
  const app = createHttpServer(gateway, routes);
  const streams = new Streams({ server: app.server, floor, keys, faults, gateway, commands, now, log });
  publish = (happening, trades) => streams.publish(happening, trades);
  const driver = driveMarkets({
    symbols,
    pointsOf: (symbol) => world.points(symbol),
    advance: (symbol, price) => void world.advance(symbol, price, now()),
  });
  const admin = createAdmin({
    floor,
    accounts: new Set(options.accounts.map(({ name }) => name)),
    gateway,
    faults,
    streams,
    driver,
    commands,
    now,
    clock,
    past,
    snapshot,
  });
  const close = async (): Promise<void> => {
    driver.stop();
    streams.close();
    await Promise.all([app.close(), admin.close()]);
    await commands.close();
  };
  try {
    const port = await listen(app, options.host, options.port);
    const adminPort = await listen(admin, "127.0.0.1", options.adminPort);
    return { url: `http://${options.host}:${port}`, port, adminPort, failed, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function recover(folder: string, options: VenueServerOptions, floor: Floor): Promise<VenueStore> {
  const store = await VenueStore.open(folder, describeVenue(options));
  await store.recover({
    restore: ({ world, data, notes }) => {
      floor.world.restore(world);
      floor.data.restore(data);
      floor.notes.restore(notes);
    },
    repeat: (line) => floor.world.repeat(line),
  });
  return store;
}

/** Calls `take` once in `every` commands, after the command. */
function takeSnapshots(world: VenueWorld, every: number, take: () => void): void {
  let count = 0;
  world.listen(() => {
    count += 1;
    if (count < every) return;
    count = 0;
    setImmediate(take);
  });
}

/** What a venue does before anybody comes: prices for new symbols, money for new accounts. */
function begin({ symbols, accounts }: VenueServerOptions, world: VenueWorld, now: Instant): void {
  for (const { instrument, source } of symbols) {
    if (world.reads.price(instrument.symbol)) continue;
    world.move(instrument.symbol, startPriceOf(source), 1, now);
  }
  for (const { name, balances } of accounts) {
    if (world.reads.balances(name).length > 0) continue;
    for (const [asset, amount] of Object.entries(balances)) world.deposit(name, asset, amount, now);
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
    if (code === "EADDRINUSE") {
      const message = `${host}:${port} is in use: another program listens there; choose another port, or 0 for any`;
      throw new QuantmeshError("PORT_IN_USE", message, { cause: error });
    }
    throw new QuantmeshError("CONFIG_INVALID", `cannot listen on ${host}:${port} (${code})`, {
      cause: error,
    });
  }
  const address = app.server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}
