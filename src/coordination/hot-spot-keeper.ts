/** Looks for hot seats once a second, at the one instance with the lowest seat, and has them relieved or says how. */
import type { Clock } from "../domain/clock.ts";
import { hasCode } from "../domain/errors.ts";
import type { Log } from "../domain/log.ts";
import type { Coordinator } from "./coordinator.ts";
import type { FleetView } from "./fleet-view.ts";
import { isRegistered, ringSeats } from "./fleet-view.ts";
import type { HotSpotRules, HotWatch, Move, SeatLoad } from "./hot-spots.ts";
import { COOL_DOWNS_REMEMBERED, NOTHING_SEEN, watchHotSpots } from "./hot-spots.ts";
import { readLoad } from "./load-report.ts";
import type { MoveRecord, MoveScene, PlannedWrite } from "./moves.ts";
import { pinnedByHand, planForgetting, planMove, planProposal, readMoves } from "./moves.ts";

export interface HotSpotKeeperOptions {
  readonly coordinator: Pick<Coordinator, "keys" | "entries" | "view" | "seat" | "me" | "write">;
  readonly clock: Clock;
  readonly log: Log;
  /** `propose`: a person confirms. `off`: what is remembered of moves by hand is forgotten in time, nothing else. */
  readonly mode: "off" | "propose" | "automatic";
  readonly rules: HotSpotRules;
}

export class HotSpotKeeper {
  readonly #options: HotSpotKeeperOptions;
  #watch: HotWatch = NOTHING_SEEN;
  #isLooking = false;

  constructor(options: HotSpotKeeperOptions) {
    this.#options = options;
  }

  /** Decides on the loads of this moment; to be called about once a second. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#look();
    } catch (error) {
      if (!hasCode(error, "COORDINATION_UNAVAILABLE")) throw error;
      this.#options.log.warn({ error }, "hot_spot.not_written");
    } finally {
      this.#isLooking = false;
    }
  }

  async #look(): Promise<void> {
    const { coordinator, clock, log, mode, rules } = this.#options;
    const { keys, entries, view, me } = coordinator;
    const seat = coordinator.seat?.number;
    if (seat === undefined || seat !== ringSeats(view)[0]) {
      this.#watch = NOTHING_SEEN;
      return;
    }
    const scene = { keys, entries, view };
    const records = readMoves(keys, entries);
    const now = clock.now();
    const past = records
      .filter(({ state }) => state !== "proposed")
      .map((record) => ({ ...record, failed: record.state === "rolledBack" }));
    const seats = mode === "off" ? [] : (seatLoads(view) ?? []);
    const fixed = pinnedByHand(keys, entries);
    const { watch, move } = watchHotSpots(this.#watch, { now, seats, past, fixed }, rules);
    this.#watch = watch;
    await this.#forget(scene, records, now);
    const isProposed = records.some((record) => record.state === "proposed" && !this.#isOver(record, now));
    if (mode === "off" || move === undefined || (mode === "propose" && isProposed)) return;
    const plan =
      mode === "propose" ? planProposal(scene, move, now) : planMove(scene, move, "hotSpots", now, me);
    if (plan === undefined || !(await this.#write(plan))) return;
    log.warn(
      { ...move, ...loadsOf(seats, move) },
      mode === "propose" ? "hot_spot.proposed" : "hot_spot.moved",
    );
  }

  async #forget(scene: MoveScene, records: readonly MoveRecord[], now: number): Promise<void> {
    for (const record of records) {
      if (this.#isOver(record, now)) await this.#write(planForgetting(scene, record));
    }
  }

  /** A proposal ends with what it is for; what was done is of interest for longer. */
  #isOver({ state, from, at }: MoveRecord, now: number): boolean {
    const { coolDownMs } = this.#options.rules;
    if (state !== "proposed") return now - at >= COOL_DOWNS_REMEMBERED * coolDownMs;
    return now - at >= coolDownMs || !this.#watch.hotSince.has(from);
  }

  async #write({ conditions, writes }: PlannedWrite): Promise<boolean> {
    return this.#options.coordinator.write(conditions, writes);
  }
}

/** The load of every seat on the ring; undefined while one of them is not known. */
export function seatLoads(view: FleetView): readonly SeatLoad[] | undefined {
  const seats = view.seats
    .filter(({ state }) => state === "held")
    .map(({ number, holder }) => {
      const load = isRegistered(view, holder) ? readLoad(view.members.get(holder.id)?.load) : undefined;
      return load && { seat: number, total: load.total, hottest: new Map(Object.entries(load.hottest)) };
    })
    .filter((load) => load !== undefined);
  return seats.length === ringSeats(view).length ? seats : undefined;
}

function loadsOf(seats: readonly SeatLoad[], { symbol, from, to }: Move): object {
  const source = seats.find(({ seat }) => seat === from);
  const target = seats.find(({ seat }) => seat === to);
  return { load: source?.hottest.get(symbol), fromLoad: source?.total, toLoad: target?.total };
}
