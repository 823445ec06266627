/** Listens for a moment to the heartbeats of the other instances, as an instance would. */
import { randomBytes } from "node:crypto";
import type { Config } from "../../config/schema.ts";
import type { FleetView, Member } from "../../coordination/fleet-view.ts";
import { PeerMesh } from "../../coordination/peer-mesh.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok } from "../../domain/finding.ts";
import { realClock } from "../../exchange/sim/real-clock.ts";
import { meshOptions } from "../dynamic-fleet.ts";
import { NO_LOG } from "../preview-grids.ts";
import { tryConnect } from "./check-ports.ts";

/** Beats come many times a second. */
const LONGEST_MS = 5_000;

export async function checkPeers(
  { members }: FleetView,
  config: Config,
  limitMs: number,
): Promise<readonly Finding[]> {
  const others = [...members.values()].filter(({ id }) => id !== config.instance.id);
  const ms = Math.min(limitMs, LONGEST_MS) / 2;
  const heard = await hear(others, config, ms);
  return Promise.all(
    others.map(async ({ id, address }) => {
      if (heard.has(id)) return ok("fleet.peers", `${id} at ${address} is heard`);
      const trouble = await tryConnect(address, ms);
      if (trouble === undefined) {
        return fault(
          "fleet.peers",
          `${id} at ${address} takes the connection, but does not take us for one of its fleet`,
          "set coordination.secret to the same text in every config, and coordination.tls in all of them or in none",
        );
      }
      return fault(
        "fleet.peers",
        `${id} at ${address}: ${trouble}; this instance would hold it for dead`,
        `open that port in the firewall, or set coordination.advertise of ${id} to an address that is reached from here`,
      );
    }),
  );
}

/** The ids of those who proved who they are within the limit; ends as soon as all have. */
async function hear(peers: readonly Member[], config: Config, limitMs: number): Promise<ReadonlySet<string>> {
  const heard = new Set<string>();
  if (peers.length === 0) return heard;
  const options = await meshOptions(config);
  let enough = (): void => undefined;
  const mesh = new PeerMesh({
    ...options,
    clock: realClock,
    log: NO_LOG,
    // Nobody's: peers beat for whoever knows the secret.
    me: { id: "doctor", incarnation: randomBytes(8).toString("hex") },
    listener: {
      beat: ({ id }) => {
        heard.add(id);
        if (heard.size === peers.length) enough();
      },
      gone: () => undefined,
      told: () => undefined,
    },
  });
  try {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      enough = () => {
        clearTimeout(timer);
        resolve();
      };
      // It is never opened: nobody connects to us.
      mesh.watch(peers);
    });
  } finally {
    await mesh.close();
  }
  return heard;
}
