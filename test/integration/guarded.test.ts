/** What the planted bugs of test/guards break and no other test notices: when a request is signed, and when it leaves. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../src/config/schema.ts";
import type { ClientOrderId, Instant, SlotNumber } from "../../src/domain/ids.ts";
import { FIRST_SPECIAL_SLOT } from "../../src/domain/ids.ts";
import { VirtualClock } from "../../src/exchange/sim/virtual-clock.ts";
import { expectSound } from "../support/expect-sound.ts";
import { everyNth, override } from "../support/override.ts";
import { writeCandles } from "../support/replay-lab.ts";
import { replay, replayConfig } from "../support/replay-run.ts";

const WINDOW_MS = 1_000;
const CANDLES = 300;
const FIRST_AT = 1_700_000_000_000;
const TURNS = 20;

describe("a request to place an order", () => {
  let folder = "";
  let config: Config;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-guarded-"));
    const candleFile = writeCandles(folder, CANDLES, 7);
    config = await replayConfig(folder, [
      { symbol: "BTC/USDT", candleFile, lower: 26_000, upper: 28_000, grids: 20 },
    ]);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** Replays while storing some of the intents takes `delayMs`. */
  async function replayWithSlowIntents(delayMs: number, isSlow: () => boolean) {
    let clock: VirtualClock | undefined;
    const promised = new Map<ClientOrderId, Instant>();
    const slow = new Set<ClientOrderId>();
    const signed: { readonly id: ClientOrderId; readonly validUntil: Instant; readonly sentAt: number }[] =
      [];
    const end = await replay(
      config,
      {
        storage: (real) =>
          override(real, {
            insertIntent: async (claim, of, intent) => {
              promised.set(intent.terms.id, intent.validUntil);
              const outcome = await real.insertIntent(claim, of, intent);
              // The market's next point lies further on than any delay, except at its start.
              if (clock && clock.now() > FIRST_AT && isSlow()) {
                slow.add(intent.terms.id);
                const after = clock.now() + delayMs;
                clock.advanceTo(Math.min(after, clock.nextTimerAt() ?? after) as Instant);
              }
              return outcome;
            },
          }),
        exchange: (real) =>
          override(real, {
            placeOrder: async (request) => {
              const { terms, validUntil } = request;
              signed.push({ id: terms.id, validUntil, sentAt: clock?.now() ?? 0 });
              return real.placeOrder(request);
            },
          }),
      },
      ({ market }) => {
        if (market.clock instanceof VirtualClock) clock = market.clock;
      },
    );
    return { end, promised, slow, signed };
  }

  it("signs each request to die when its intent says, however long storing the intent took", async () => {
    const { end, promised, slow, signed } = await replayWithSlowIntents(40, everyNth(2, 20));

    const late = signed.filter(
      ({ id, sentAt }) => slow.has(id) && sentAt > Number(promised.get(id)) - WINDOW_MS,
    );
    expect(late.length).toBeGreaterThan(5);
    for (const { id, validUntil } of signed) expect(validUntil).toBe(promised.get(id));
    expectSound(end);
  });

  it("sends no request whose time was over when its intent was stored", async () => {
    const { end, slow, signed } = await replayWithSlowIntents(WINDOW_MS, everyNth(9, 4));

    expect(slow.size).toBeGreaterThan(2);
    expect(signed.filter(({ id }) => slow.has(id))).toEqual([]);
    expectSound(end);
  });

  it("sends what a step asks for only once its records are stored", async () => {
    const wants = new Map<SlotNumber, string>();
    let sells = 0;
    const early: ClientOrderId[] = [];
    const end = await replay(config, {
      storage: (real) =>
        override(real, {
          commit: async (claim, of, records) => {
            // Whoever does not wait for the answer has all the time to send.
            for (let turn = 0; turn < TURNS; turn++) await new Promise((done) => setImmediate(done));
            const outcome = await real.commit(claim, of, records);
            for (const record of records) {
              if (record.kind === "slot") wants.set(record.slot, record.holding.wants);
            }
            return outcome;
          },
        }),
      exchange: (real) =>
        override(real, {
          placeOrder: async (request) => {
            const { id, slot, side } = request.terms;
            if (side === "sell" && slot < FIRST_SPECIAL_SLOT) {
              sells += 1;
              if (wants.get(slot) !== "sell") early.push(id);
            }
            return real.placeOrder(request);
          },
        }),
    });

    expect(sells).toBeGreaterThan(10);
    expect(early).toEqual([]);
    expectSound(end);
  });
});
