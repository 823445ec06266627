/** What an instance believes of a peer from its heartbeats: a table from alive over silent and challenged to dead. */

/** All in ms. */
export interface SuspicionLimits {
  /** So long without a beat is silence. */
  readonly silenceMs: number;
  /** So long a suspect has to refute a challenge. */
  readonly refuteMs: number;
  /** So long a peer that refuted is not challenged again; doubled each time that it refutes, up to the longest. */
  readonly trustMs: number;
  readonly longestTrustMs: number;
}

/**
 * `unheard`: no beat yet, only its lease speaks. `alive`: heard at `at`. `challenged`: silent, and asked at `at` to
 * say that it lives. `trusted`: silent, but it refuted; silence means nothing until `until`. `dead`: `crashed` where
 * its port refuses or a newer incarnation answers, `suspected` where it did not refute.
 */
export type Belief =
  | { readonly kind: "unheard" }
  | { readonly kind: "alive"; readonly at: number }
  | { readonly kind: "challenged"; readonly at: number; readonly trusts: number }
  | { readonly kind: "trusted"; readonly until: number; readonly trusts: number }
  | { readonly kind: "dead"; readonly how: "crashed" | "suspected"; readonly at: number };

export type Sign =
  /** A beat, or anything else on its authenticated connection. */
  | { readonly kind: "beat"; readonly at: number }
  /** Its connection closed and its port refuses a new one, or a newer incarnation answered there. */
  | { readonly kind: "gone"; readonly at: number }
  /** Our challenge is stored. */
  | { readonly kind: "challenged"; readonly at: number }
  /** Our challenge was deleted by its suspect. */
  | { readonly kind: "refuted"; readonly at: number }
  /** The compare-and-swap on an unrefuted challenge won. */
  | { readonly kind: "unrefuted"; readonly at: number }
  /** The observer itself slept: what it did not hear meanwhile says nothing. */
  | { readonly kind: "observerSlept"; readonly at: number };

export const UNHEARD: Belief = { kind: "unheard" };

/** The next belief. Whoever beats lives, whatever was believed before. */
export function believe(belief: Belief, sign: Sign, limits: SuspicionLimits): Belief {
  const { at } = sign;
  switch (sign.kind) {
    case "beat":
      return { kind: "alive", at };
    case "gone":
      // A port that refuses from the start may be a wrong address: its lease speaks then.
      return belief.kind === "unheard" || belief.kind === "dead"
        ? belief
        : { kind: "dead", how: "crashed", at };
    case "challenged":
      return belief.kind === "alive" || belief.kind === "trusted"
        ? { kind: "challenged", at, trusts: belief.kind === "trusted" ? belief.trusts : 0 }
        : belief;
    case "refuted": {
      if (belief.kind !== "challenged") return belief;
      const pause = Math.min(limits.trustMs * 2 ** belief.trusts, limits.longestTrustMs);
      return { kind: "trusted", until: at + pause, trusts: belief.trusts + 1 };
    }
    case "unrefuted":
      return belief.kind === "challenged" ? { kind: "dead", how: "suspected", at } : belief;
    case "observerSlept":
      return belief.kind === "alive" ? { kind: "alive", at } : belief;
  }
}

/** What is to be done about a peer now: challenge it, take its unrefuted challenge as its death, or nothing yet. */
export function judge(belief: Belief, now: number, limits: SuspicionLimits): "wait" | "challenge" | "take" {
  switch (belief.kind) {
    case "alive":
      return now - belief.at >= limits.silenceMs ? "challenge" : "wait";
    case "trusted":
      return now >= belief.until ? "challenge" : "wait";
    case "challenged":
      return now - belief.at >= limits.refuteMs ? "take" : "wait";
    case "unheard":
    case "dead":
      return "wait";
  }
}
