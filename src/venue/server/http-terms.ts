/** What both ways from a socket to the gateway keep. */
import type { Socket } from "node:net";

export const ORDER_PATH = "/api/v3/order";
export const MOST_BODY_BYTES = 16_384;
/** Idle connections live long: a request that meets their end has an unknown outcome. */
export const KEPT_ALIVE_MS = 75_000;
export const JSON_TYPE = "application/json;charset=UTF-8";
export const HTML =
  "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

/** The client's address; that of IPv4 as such, whatever kind of socket it came through. */
export function addressOf({ remoteAddress = "" }: Socket): string {
  return remoteAddress.replace(/^::ffff:/, "");
}
