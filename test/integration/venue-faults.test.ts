/** A live bot over ccxt on a venue's server whose fault switches are thrown, one by one and together. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { REQUEST_FAULTS, STREAM_FAULTS } from "../../src/venue/server/faults.ts";
import type { FaultKind } from "../../src/venue/server/faults.ts";
import type { KeptLine } from "../support/kept-log.ts";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import type { VenueDrill } from "../support/venue-drill.ts";
import { DRILL_SETTLE_MS, pause, runVenueDrill } from "../support/venue-drill.ts";
import { drillMarket, startVenueOfMarkets } from "../support/venue-markets.ts";
import type { VenueFault, VenueProcess } from "../support/venue-process.ts";

const SEEDS = 300;
const MOVES = 10;
/** Of a switch that has not struck in its drill. */
const MORE_TRIES = 5;
/** Switches belong to a venue, so drills at the same time need venues of their own. */
const LANES = 6;
const LIMIT = 3_600_000;

type Plan = Omit<VenueDrill, "venue" | "market" | "moves">;

const ORDERS = "* /api/v3/order";
/** Where each fault hurts most, and so often that it is sure to strike. */
const SWITCHES: Readonly<Record<FaultKind, VenueFault>> = {
  lost_request: { kind: "lost_request", route: "*", probability: 0.12 },
  error_before: { kind: "error_before", route: "*", probability: 0.12, status: 503 },
  delayed_request: { kind: "delayed_request", route: ORDERS, probability: 0.35, delay_ms: 700 },
  lost_answer: { kind: "lost_answer", route: ORDERS, probability: 0.3 },
  delayed_answer: { kind: "delayed_answer", route: "*", probability: 0.2, delay_ms: 600 },
  error_after: { kind: "error_after", route: ORDERS, probability: 0.3, status: 502 },
  reset_in_body: { kind: "reset_in_body", route: "*", probability: 0.12 },
  html_body: { kind: "html_body", route: "*", probability: 0.12, status: 200 },
  stale_query: { kind: "stale_query", route: "GET *", probability: 0.5, age_ms: DRILL_SETTLE_MS - 50 },
  rate_limited: { kind: "rate_limited", route: "*", probability: 0.05 },
  stream_disconnect: { kind: "stream_disconnect", route: "*", probability: 0.15 },
  stream_silence: { kind: "stream_silence", route: "*", probability: 0.15, delay_ms: 700 },
  duplicate_event: { kind: "duplicate_event", route: "*", probability: 0.5 },
  missing_event: { kind: "missing_event", route: "*", probability: 0.4 },
  reordered_event: { kind: "reordered_event", route: "*", probability: 0.4 },
};
const KINDS: readonly FaultKind[] = [...REQUEST_FAULTS, ...STREAM_FAULTS];

describe("a bot on a venue that lies", () => {
  const seed = freshSeed();
  const venues: VenueProcess[] = [];
  const used = new Map<VenueProcess, number>();
  const logged = new Map<string, number>();

  beforeAll(async () => {
    const markets = Math.ceil((scaled(SEEDS) + 60) / LANES) + 10;
    venues.push(...(await Promise.all(Array.from({ length: LANES }, () => startVenueOfMarkets(markets)))));
  });
  afterAll(async () => {
    await Promise.all(venues.map((venue) => venue.server.stop()));
    console.log(`what the bots met (seed ${seed}): ${JSON.stringify(Object.fromEntries(logged))}`);
  });

  /** Runs every plan, each on a market of its own, as many at a time as there are venues. */
  async function runAll(plans: readonly ((venue: VenueProcess) => Plan)[]): Promise<void> {
    const queue = [...plans];
    const work = async (venue: VenueProcess): Promise<void> => {
      for (let plan = queue.shift(); plan; plan = queue.shift()) {
        const index = used.get(venue) ?? 0;
        used.set(venue, index + 1);
        const drill = { venue, market: drillMarket(index), moves: MOVES, ...plan(venue) };
        count(await runVenueDrill(drill));
      }
    };
    await Promise.all(venues.map(work));
  }

  function count(lines: readonly KeptLine[]): void {
    for (const { event } of lines) logged.set(event, (logged.get(event) ?? 0) + 1);
  }

  async function notStruck(): Promise<readonly FaultKind[]> {
    const all = await Promise.all(venues.map(async (venue) => (await venue.admin.status()).faults));
    return KINDS.filter((kind) => all.every((faults) => (faults[kind] ?? 0) === 0));
  }

  it(
    "stores every fill once and places nothing twice, whichever switch is thrown",
    async () => {
      const disturbances: readonly ((venue: VenueProcess) => VenueDrill["disturb"])[] = [
        (venue) => async (random) => {
          if (random() < 0.7) return;
          await venue.admin.maintenance(true);
          await pause(150);
          await venue.admin.maintenance(false);
        },
        (venue) => async (random) => {
          if (random() < 0.5) await venue.admin.disconnect();
        },
        (venue) => {
          let ahead = 0;
          return async (random) => {
            if (random() < 0.7) return;
            // The venue's time never runs back.
            ahead += Math.floor(random() * 1_500);
            await venue.admin.setClockOffset(ahead);
          };
        },
      ];
      const switched = (kinds: readonly FaultKind[], from: number) =>
        kinds.map((kind, index) => () => ({ seed: from + index, faults: [SWITCHES[kind]] }));
      await runAll([
        ...switched(KINDS, seed),
        ...disturbances.map((make, index) => (venue: VenueProcess) => {
          const disturb = make(venue);
          return { seed: seed - 1 - index, faults: [], ...(disturb ? { disturb } : {}) };
        }),
      ]);
      // A drill is short: a switch of small probability may not have struck in it.
      let idle = await notStruck();
      for (let again = 1; idle.length > 0 && again <= MORE_TRIES; again += 1) {
        await runAll(switched(idle, seed + again * KINDS.length));
        idle = await notStruck();
      }
      expect(idle).toEqual([]);
    },
    LIMIT,
  );

  it(
    `stores every fill once and places nothing twice, whatever goes wrong together (${scaled(SEEDS)} seeds)`,
    async () => {
      await runAll(
        Array.from({ length: scaled(SEEDS) }, (_, index) => () => {
          const of = seed + 1_000 + index;
          const random = seededRandom(of);
          const faults = KINDS.filter(() => random() < 0.4).map((kind) => ({
            ...SWITCHES[kind],
            route: random() < 0.5 ? "*" : (SWITCHES[kind].route ?? "*"),
            probability: (SWITCHES[kind].probability ?? 0) * random() * 0.5,
          }));
          return { seed: of, faults };
        }),
      );
      // The rare paths were really walked.
      for (const event of ["order.unknown", "event.order_absent", "drill.start_refused", "stream.lost"]) {
        expect(logged.get(event) ?? 0, event).toBeGreaterThan(0);
      }
    },
    LIMIT,
  );
});
