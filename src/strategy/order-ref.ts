/** Tells by its client order id whether an order is this bot's, and which. */
import type { Bot } from "../domain/grid.ts";
import type { ClientOrderId } from "../domain/ids.ts";
import type { OrderRef } from "../domain/order.ts";
import { decodeClientOrderId } from "./client-order-id.ts";

/** undefined where the order is somebody else's. */
export function refOf({ code }: Bot, id: ClientOrderId | undefined): OrderRef | undefined {
  const name = id === undefined ? undefined : decodeClientOrderId(id);
  if (!id || name?.bot !== code) return undefined;
  const { slot, side, generation } = name;
  return { id, slot, side, generation };
}
