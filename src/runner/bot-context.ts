/** What the parts of one bot session share. */
import type { Claim } from "../domain/claim.ts";
import type { Bot } from "../domain/grid.ts";
import type { ClientOrderId, Instant } from "../domain/ids.ts";
import type { OrderRef } from "../domain/order.ts";
import type { GridEvent } from "../strategy/events.ts";
import type { GridState } from "../strategy/state.ts";
import type { Books } from "./books.ts";
import type { ExchangeClock } from "./exchange-clock.ts";
import type { LevelLocks } from "./level-locks.ts";
import type { RunnerPorts } from "./ports.ts";

export interface BotContext {
  readonly ports: RunnerPorts;
  readonly bot: Bot;
  readonly claim: Claim;
  readonly exchangeClock: ExchangeClock;
  readonly locks: LevelLocks;
  readonly books: Books;
  /** Aborted when the session ends: nothing is sent or posted after it. */
  readonly signal: AbortSignal;
  /** When the requests of working orders die, in exchange time. */
  readonly validUntil: Map<ClientOrderId, Instant>;
  /** The state after the last handled event. */
  state(): GridState;
  /** Hands an event to the bot; resolves when it was handled: false where its step was dropped. */
  post(event: GridEvent): Promise<boolean>;
  /** Runs work in the background as part of this session: its failure is the session's. */
  run(work: () => Promise<void>): void;
  /** Looks an order up until its fate is known. */
  resolve(order: OrderRef): void;
  /** Ends the session: it is no longer known to own the market, or what is stored. */
  lose(reason: string): void;
}
