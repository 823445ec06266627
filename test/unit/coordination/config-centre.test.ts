/** How the config of the fleet is followed while etcd is away. */
import { getEventListeners } from "node:events";
import { expect, it } from "vitest";
import { ConfigCentre } from "../../../src/coordination/config-centre.ts";
import type { KeyStore, Listing } from "../../../src/coordination/key-store.ts";
import { QuantmeshError } from "../../../src/domain/errors.ts";

const NEVER = async (): Promise<never> => {
  throw new Error("not asked here");
};

it("leaves nothing behind on the signal of its end, however often etcd did not answer", async () => {
  const stopping = new AbortController();
  const listeners: number[] = [];
  const list = async (): Promise<Listing> => {
    listeners.push(getEventListeners(stopping.signal, "abort").length);
    if (listeners.length === 3) stopping.abort();
    throw new QuantmeshError("COORDINATION_UNAVAILABLE", "etcd does not answer");
  };
  const away: KeyStore = {
    list,
    write: NEVER,
    watch: NEVER,
    grantLease: NEVER,
    keepLease: NEVER,
    revokeLease: NEVER,
    timeLeft: NEVER,
    close: () => undefined,
  };

  await new ConfigCentre(away, "fleet").follow(NEVER, stopping.signal);

  expect(listeners).toEqual([1, 1, 1]);
  expect(getEventListeners(stopping.signal, "abort")).toEqual([]);
});
