/** Moves of symbols that an operator asks for: to a seat, or to where the fleet proposes. */
import { assign } from "../coordination/assign.ts";
import { holderName, ringSeats } from "../coordination/fleet-view.ts";
import type { Move } from "../coordination/hot-spots.ts";
import type { MoveScene, Mover } from "../coordination/moves.ts";
import { planMove, readMoves } from "../coordination/moves.ts";
import { QuantmeshError } from "../domain/errors.ts";
import type { OutsideFleet, Patience } from "./outside-fleet.ts";
import { waitUntil } from "./outside-fleet.ts";

/** Gives a symbol to a seat. Throws CONFIG_INVALID where there is no such symbol or seat. */
export async function moveSymbol(
  fleet: OutsideFleet,
  symbol: string,
  number: number,
  patience: Patience,
): Promise<void> {
  const { config, scene } = fleet;
  const seen = await scene();
  const { seats } = seen.view;
  const seat = seats.find((one) => one.number === number && one.state === "held");
  if (!seat) {
    const known = seats.map((one) => `${one.number} (${one.holder.id})`).join(", ") || "none";
    throw new QuantmeshError("CONFIG_INVALID", `there is no seat ${number}; the seats are ${known}`);
  }
  if (!config.trading.symbols.some((grid) => grid.symbol === symbol)) {
    throw new QuantmeshError("CONFIG_INVALID", `${symbol} is not traded by this fleet`);
  }
  await carryOut(fleet, seen, { symbol, from: placeOf(fleet, seen, symbol), to: number }, "hand", patience);
  process.stdout.write(`${symbol} is at seat ${number} (${seat.holder.id})\n`);
}

/** Carries out the moves that the fleet proposes, one after the other. */
export async function moveHotSymbols(fleet: OutsideFleet, patience: Patience): Promise<void> {
  const seen = await fleet.scene();
  const proposed = readMoves(seen.keys, seen.entries).filter(({ state }) => state === "proposed");
  for (const { symbol, from, to } of proposed) {
    await carryOut(fleet, await fleet.scene(), { symbol, from, to }, "hotSpots", patience);
    process.stdout.write(`${symbol} is at seat ${to}\n`);
  }
  if (proposed.length === 0) process.stdout.write("no move is proposed\n");
}

/** Pins a symbol, and waits until the holder of its new seat has claimed it. */
async function carryOut(
  fleet: OutsideFleet,
  seen: MoveScene,
  move: Move,
  by: Mover,
  patience: Patience,
): Promise<void> {
  const { store, storage, scene } = fleet;
  const { symbol, to } = move;
  const plan = planMove(seen, move, by, Date.now());
  const revision = plan && (await store.write(plan.conditions, plan.writes));
  if (revision === undefined) {
    throw new QuantmeshError(
      "COORDINATION_UNAVAILABLE",
      `the fleet changed while ${symbol} was to be moved: look at its status, and try again`,
    );
  }
  await waitUntil(patience, `${symbol} is not at seat ${to} yet`, async () => {
    const holder = (await storage.listClaims()).find((claim) => claim.symbol === symbol)?.holder;
    const { view, keys, entries } = await scene();
    const isRolledBack = readMoves(keys, entries).some(
      (one) => one.symbol === symbol && one.state === "rolledBack" && one.revision > revision,
    );
    if (isRolledBack) {
      throw new QuantmeshError(
        "COORDINATION_UNAVAILABLE",
        `seat ${to} did not take ${symbol} over: the move was rolled back`,
      );
    }
    const held = view.seats.find((one) => one.number === to)?.holder;
    return held !== undefined && holder === holderName(held);
  });
}

/** The seat that has the symbol now. */
function placeOf({ config }: OutsideFleet, { view }: MoveScene, symbol: string): number {
  const symbols = config.trading.symbols.map((grid) => grid.symbol);
  return assign(symbols, ringSeats(view), view.pins).get(symbol) ?? 0;
}
