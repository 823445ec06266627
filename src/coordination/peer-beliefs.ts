/** What one instance believes of its peers, by what it has heard of each. */
import type { FleetView, Incarnation } from "./fleet-view.ts";
import { holderName, isSame } from "./fleet-view.ts";
import type { Belief, Sign, SuspicionLimits } from "./suspicion.ts";
import { UNHEARD, believe } from "./suspicion.ts";

/** So long without a beat is worth telling people; it decides nothing. */
const UNHEARD_MS = 2000;

export class PeerBeliefs {
  readonly #me: Incarnation;
  readonly #limits: SuspicionLimits;
  readonly #beliefs = new Map<string, Belief>();

  constructor(me: Incarnation, limits: SuspicionLimits) {
    this.#me = me;
    this.#limits = limits;
  }

  readonly of = (peer: Incarnation): Belief => this.#beliefs.get(holderName(peer)) ?? UNHEARD;

  sign(peer: Incarnation, sign: Sign): void {
    this.#beliefs.set(holderName(peer), believe(this.of(peer), sign, this.#limits));
  }

  /** Forgets all others. */
  keep(peers: readonly Incarnation[]): void {
    const known = new Set(peers.map(holderName));
    for (const name of this.#beliefs.keys()) if (!known.has(name)) this.#beliefs.delete(name);
  }

  /** Holders whom we have challenged, and whose challenge is gone at `at`: they live. Returns them. */
  noteRefutes(view: FleetView, at: number): readonly Incarnation[] {
    const refuted: Incarnation[] = [];
    for (const { holder } of view.seats) {
      if (this.of(holder).kind !== "challenged") continue;
      const challenge = view.challenges.get(holder.id);
      if (challenge?.by === this.#me.incarnation && isSame(challenge.suspect, holder)) continue;
      this.sign(holder, { kind: "refuted", at });
      refuted.push(holder);
    }
    return refuted;
  }

  /** Whom the others must judge by its lease, as far as we can tell. */
  unheard(view: FleetView, now: number): readonly string[] {
    return [...view.members.values()]
      .filter((peer) => {
        const belief = this.of(peer);
        return peer.id !== this.#me.id && !(belief.kind === "alive" && now - belief.at < UNHEARD_MS);
      })
      .map(({ id }) => id)
      .sort();
  }
}
