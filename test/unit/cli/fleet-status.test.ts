/** What `quantmesh status` says of instances that do not answer: never more than is known. */
import { describe, expect, it } from "vitest";
import { fleetStatus, silentMembers } from "../../../src/cli/fleet-status.ts";
import type { BotSummary } from "../../../src/storage/storage.ts";
import { NO_TOTALS, sampleBot } from "../../contract/storage-samples.ts";
import type { FleetView, Member, Seat } from "../../../src/coordination/fleet-view.ts";

const member = (id: string, more: Partial<Member> = {}): Member => ({
  id,
  incarnation: `1-${id}`,
  role: "active",
  address: "127.0.0.1:1",
  version: "1",
  symbols: 1,
  config: 1,
  draining: false,
  startedAt: 0,
  ...more,
});
const seat = (number: number, holder: string): Seat => ({
  number,
  holder: { id: holder, incarnation: `1-${holder}` },
  state: "held",
  how: "new",
  revision: number,
});

function shown(
  members: readonly Member[],
  seats: readonly Seat[],
  timeLeft: Record<string, number> = {},
  bots: readonly BotSummary[] = [],
) {
  const view: FleetView = {
    members: new Map(members.map((one) => [one.id, one])),
    seats,
    pins: new Map(),
    challenges: new Map(),
    drains: new Map(),
  };
  const holder = seats.map((one) => `${one.holder.id} ${one.holder.incarnation}`)[0] ?? "";
  const claims = [{ exchange: "binance", account: "main", symbol: "BTC/USDT", holder, epoch: 2 }];
  const centre = { versions: [], rollOut: undefined, rollOutRevision: 0 };
  const facts = {
    fleet: "f",
    view,
    centre,
    moves: [],
    symbols: ["BTC/USDT"],
    claims,
    bots,
    lastChanges: new Map(),
    now: 0,
  };
  const status = fleetStatus({ ...facts, timeLeft: new Map(Object.entries(timeLeft)) });
  return {
    silent: silentMembers(view).map(({ id }) => id),
    roles: status.instances.map(({ id, role, symbols }) => `${id} ${role} ${symbols}`),
    problems: status.problems,
    ...(bots.length > 0 ? { left: status.left } : {}),
    leases: status.instances.map(({ leaseEndsInMs }) => leaseEndsInMs),
  };
}

it("names a bot that is not in the config and has orders, and no other", () => {
  const bot = (symbol: string, workingOrders: number): BotSummary => ({
    bot: sampleBot("bot0000001", symbol),
    mode: "running",
    modeReason: "",
    totals: NO_TOTALS,
    workingOrders,
  });
  const bots = [bot("BTC/USDT", 4), bot("ETH/USDT", 3), bot("XRP/USDT", 0)];

  expect(shown([member("a", { seat: 1 })], [seat(1, "a")], {}, bots)).toMatchObject({
    problems: [],
    left: [expect.stringMatching(/^ETH\/USDT: not in the config, but 3 orders may rest .*cancel_on_exit/)],
  });
});

describe("an instance", () => {
  it("that knows of its seat, and that the others hear, is well", () => {
    const all = [member("a", { seat: 1 }), member("s", { role: "standby", symbols: 0 })];

    expect(shown(all, [seat(1, "a")])).toMatchObject({
      roles: ["a active 1", "s standby 0"],
      problems: [],
      silent: [],
    });
  });

  it("whose seat was taken over does not answer, until its registration ends", () => {
    const all = [member("a", { seat: 1, unheard: ["s"] }), member("s", { unheard: ["a"] })];

    expect(shown(all, [seat(1, "s")], { a: 6500 })).toEqual({
      silent: ["a"],
      roles: ["a silent 0", "s active 1"],
      problems: ["a: does not answer, its seat 1 is s's now; its registration ends in 7 s"],
      leases: [6500, undefined],
    });
  });

  it("whose seat has left the ring does not answer either", () => {
    expect(shown([member("a", { seat: 2 }), member("b", { seat: 1 })], [seat(1, "b")]).problems).toEqual([
      "a: does not answer, its seat 2 is gone",
    ]);
  });

  it("that has said that it lost its seat stands by", () => {
    expect(shown([member("a"), member("s")], [seat(1, "s")]).roles).toEqual(["a standby 0", "s active 1"]);
  });

  it("that was drained has no seat by its own will", () => {
    const all = [member("a", { seat: 2, draining: true }), member("b", { seat: 1 })];

    expect(shown(all, [seat(1, "b")])).toMatchObject({
      roles: ["a drained 0", "b active 1"],
      problems: [],
    });
  });

  it("that stands by and that nobody hears is not called a standby", () => {
    const all = [member("a", { seat: 1, unheard: ["s"] }), member("s", { role: "standby" })];

    expect(shown(all, [seat(1, "a")], { s: 3000 })).toMatchObject({
      roles: ["a active 1", "s silent 0"],
      problems: ["s: not heard by a; its registration ends in 3 s"],
    });
  });

  it("on a seat that only one of the others does not hear trades, and who does not hear it is told", () => {
    const all = [member("a", { seat: 1 }), member("b", { unheard: ["a"] }), member("c")];

    expect(shown(all, [seat(1, "a")])).toMatchObject({
      roles: ["a active 1", "b standby 0", "c standby 0"],
      problems: ["a: not heard by b"],
    });
  });
});
