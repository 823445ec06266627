/** Carries out what is planned about seats: each action is one compare-and-swap, which may lose. */
import type { Clock } from "../domain/clock.ts";
import type { Log } from "../domain/log.ts";
import type { Metrics } from "../domain/metrics.ts";
import type { FleetKeys, FleetView, Incarnation, Seat } from "./fleet-view.ts";
import { formatSeat } from "./fleet-view.ts";
import type { LeaseId, Write } from "./key-store.ts";
import type { Mirror } from "./mirror.ts";
import type { SeatAction } from "./plan-seats.ts";
import type { Sign } from "./suspicion.ts";

export interface SeatWriterOptions {
  readonly keys: FleetKeys;
  readonly mirror: Mirror;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly me: Incarnation;
  /** Of our registration; undefined while there is none. */
  readonly lease: () => LeaseId | undefined;
  readonly view: () => FleetView;
  /** What an action says about its suspect. */
  readonly sign: (peer: Incarnation, sign: Sign) => void;
}

export class SeatWriter {
  readonly #options: SeatWriterOptions;

  constructor(options: SeatWriterOptions) {
    this.#options = options;
  }

  /** Throws COORDINATION_UNAVAILABLE. */
  async carryOut(action: SeatAction): Promise<void> {
    const { keys, mirror, me, clock, log, lease: leaseOf, sign } = this.#options;
    switch (action.kind) {
      case "refute": {
        const key = keys.challenge(me.id);
        log.warn({ by: action.challenge.by }, "suspicion.challenged");
        await mirror.write([{ key, revision: action.challenge.revision }], [{ kind: "delete", key }]);
        return;
      }
      case "create":
        return this.#createSeat(action);
      case "challenge": {
        const key = keys.challenge(action.suspect.id);
        const value = JSON.stringify({ suspect: action.suspect, by: me.incarnation });
        const lease = leaseOf();
        if (lease === undefined) return;
        const write: Write = { kind: "put", key, value, lease };
        const sent = clock.monotonic();
        const isStored = await mirror.write([{ key, revision: 0 }], [write]);
        if (!isStored) return;
        log.warn({ peer: action.suspect.id }, "suspicion.raised");
        sign(action.suspect, { kind: "challenged", at: Math.max(sent, clock.monotonic()) });
        return;
      }
      case "adopt":
      case "remove":
        return this.#takeSeat(action);
    }
  }

  /** Changes or deletes our own seat, for as long as it is ours. Throws COORDINATION_UNAVAILABLE. */
  async change(seatOf: () => Seat | undefined, change: (seat: Seat) => Seat | undefined): Promise<void> {
    const { keys, mirror } = this.#options;
    for (let seat = seatOf(); seat !== undefined; seat = seatOf()) {
      const key = keys.seat(seat.number);
      const next = change(seat);
      const write: Write = next ? { kind: "put", key, value: formatSeat(next) } : { kind: "delete", key };
      if (await mirror.write([{ key, revision: seat.revision }], [write])) return;
    }
  }

  async #createSeat({ seat, from }: SeatAction & { readonly kind: "create" }): Promise<void> {
    const { keys, mirror, me, log, metrics } = this.#options;
    const key = keys.seat(seat);
    const how = from === undefined ? "new" : "drained";
    const value = formatSeat({ holder: me, state: "held", how, ...(from === undefined ? {} : { from }) });
    if (!(await mirror.write([{ key, revision: 0 }], [{ kind: "put", key, value }]))) return;
    log.info({ seat, how, from }, "seat.taken");
    if (how === "drained") metrics.count("quantmesh_takeovers_total", { reason: how });
  }

  async #takeSeat(action: SeatAction & { readonly kind: "adopt" | "remove" }): Promise<void> {
    const { keys, mirror, me, clock, log, metrics, view, sign } = this.#options;
    const { seat, how, challenge } = action;
    const key = keys.seat(seat.number);
    const conditions = [{ key, revision: seat.revision }];
    const holder = keys.member(seat.holder.id);
    // Who has registered anew meanwhile keeps its seat.
    if (how === "expired" && !mirror.entries.has(holder)) conditions.push({ key: holder, revision: 0 });
    const writes: Write[] = [
      action.kind === "remove"
        ? { kind: "delete", key }
        : { kind: "put", key, value: formatSeat({ holder: me, state: "held", how, from: seat.holder.id }) },
    ];
    // Who sits again is missed nowhere any more.
    for (const other of action.kind === "adopt" ? view().seats : []) {
      if (other.from !== me.id || other.number === seat.number) continue;
      const { from: _, ...unmarked } = other;
      const name = keys.seat(other.number);
      conditions.push({ key: name, revision: other.revision });
      writes.push({ kind: "put", key: name, value: formatSeat(unmarked) });
    }
    if (challenge) {
      const name = keys.challenge(challenge.suspect.id);
      conditions.push({ key: name, revision: challenge.revision });
      writes.push({ kind: "delete", key: name });
    }
    const fields = { seat: seat.number, how, from: seat.holder.id };
    if (!(await mirror.write(conditions, writes))) return log.info(fields, "seat.not_taken");
    if (challenge) sign(seat.holder, { kind: "unrefuted", at: clock.monotonic() });
    log.warn(fields, action.kind === "adopt" ? "seat.taken_over" : "seat.removed");
    if (action.kind === "adopt" && how !== "returned")
      metrics.count("quantmesh_takeovers_total", { reason: how });
  }
}
