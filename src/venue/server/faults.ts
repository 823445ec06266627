/** The fault switches: what goes wrong, on which route, how often. Seeded, and every fault that struck is counted. */
import { QuantmeshError } from "../../domain/errors.ts";
import { createRandom, seedOf } from "../market/random.ts";

/** Faults of one request, in the order in which they are decided; at most one of them strikes. */
export const REQUEST_FAULTS = [
  /** The request is lost: nothing is done, nothing is answered. */
  "lost_request",
  /** Nothing is done; the answer is an error with `status`. */
  "error_before",
  /** It is held for `delay_ms` between the door and the matcher. */
  "delayed_request",
  /** It is done; the connection ends without an answer. */
  "lost_answer",
  /** It is done; the answer comes `delay_ms` later. */
  "delayed_answer",
  /** It is done; the answer is an error with `status`. */
  "error_after",
  /** It is done; the connection is reset in the middle of the answer's body. */
  "reset_in_body",
  /** It is done; the answer is a page in HTML with `status`. */
  "html_body",
  /** A query answers as of `age_ms` ago. */
  "stale_query",
  /** Nothing is done; the answer is 429. */
  "rate_limited",
] as const;

/** Faults of one message to one connection. */
export const STREAM_FAULTS = [
  "stream_disconnect",
  /** The connection stays and says nothing for `delay_ms`. */
  "stream_silence",
  "duplicate_event",
  "missing_event",
  /** The message comes after the one that follows it. */
  "reordered_event",
] as const;

export type RequestFault = (typeof REQUEST_FAULTS)[number];
export type StreamFault = (typeof STREAM_FAULTS)[number];
export type FaultKind = RequestFault | StreamFault;

const KINDS: ReadonlySet<string> = new Set([...REQUEST_FAULTS, ...STREAM_FAULTS]);

export interface FaultSwitch {
  readonly kind: FaultKind;
  /** `POST /api/v3/order`, `GET *`, `* /api/v3/order`, `stream user`, `stream market` or `*`. */
  readonly route: string;
  /** From 0 (never) to 1 (always). */
  readonly probability: number;
  /** How often it strikes at most; without end unless given. */
  readonly times?: number;
  readonly delayMs: number;
  readonly status: number;
  readonly ageMs: number;
}

/** A fault that strikes now, and its numbers. */
export type Struck<Kind extends FaultKind> = FaultSwitch & { readonly kind: Kind };

interface Armed {
  readonly terms: FaultSwitch;
  readonly random: () => number;
  struck: number;
}

export class Faults {
  readonly #seed: number;
  readonly #counts = new Map<FaultKind, number>();
  #armed: readonly Armed[] = [];
  #changes = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Replaces all switches; counts go on. */
  set(switches: readonly FaultSwitch[]): void {
    this.#changes += 1;
    this.#armed = switches.map((terms, index) => ({
      terms,
      random: createRandom(seedOf(this.#seed, this.#changes, index, terms.kind, terms.route)),
      struck: 0,
    }));
  }

  get switches(): readonly FaultSwitch[] {
    return this.#armed.map(({ terms }) => terms);
  }

  /** How old answers may have to be, ms; undefined while no switch asks for stale ones. */
  get oldestAnswerMs(): number | undefined {
    const ages = this.switches.flatMap(({ kind, ageMs }) => (kind === "stale_query" ? [ageMs] : []));
    return ages.length === 0 ? undefined : Math.max(...ages);
  }

  /** How often each fault struck since the venue was started. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...KINDS].map((kind) => [kind, this.#counts.get(kind as FaultKind) ?? 0]));
  }

  /** What strikes a request now. */
  ofRequest(method: string, path: string): Struck<RequestFault> | undefined {
    if (this.#armed.length === 0) return undefined;
    return this.#throwDice(REQUEST_FAULTS, (route) => matches(route, method, path));
  }

  /** What strikes a message on a stream now. */
  ofMessage(stream: "user" | "market"): Struck<StreamFault> | undefined {
    if (this.#armed.length === 0) return undefined;
    return this.#throwDice(STREAM_FAULTS, (route) => route === "*" || route === `stream ${stream}`);
  }

  #throwDice<Kind extends FaultKind>(
    kinds: readonly Kind[],
    isMeant: (route: string) => boolean,
  ): Struck<Kind> | undefined {
    for (const armed of this.#armed) {
      const { terms } = armed;
      if (!(kinds as readonly string[]).includes(terms.kind) || !isMeant(terms.route)) continue;
      if (armed.struck >= (terms.times ?? Number.POSITIVE_INFINITY)) continue;
      if (armed.random() >= terms.probability * 2 ** 32) continue;
      armed.struck += 1;
      this.#counts.set(terms.kind, (this.#counts.get(terms.kind) ?? 0) + 1);
      return terms as Struck<Kind>;
    }
    return undefined;
  }
}

function matches(route: string, method: string, path: string): boolean {
  if (route === "*") return true;
  const [wantedMethod, wantedPath] = route.split(" ");
  return (wantedMethod === "*" || wantedMethod === method) && (wantedPath === "*" || wantedPath === path);
}

/** Checks what an admin sent. Throws DATA_INVALID with what is wrong. */
export function readSwitches(value: unknown): readonly FaultSwitch[] {
  if (!Array.isArray(value)) throw wrong("send a list of switches");
  return value.map((item: unknown, index) => readSwitch(item, index + 1));
}

const KNOWN = ["kind", "route", "probability", "times", "delay_ms", "status", "age_ms"];

function readSwitch(item: unknown, number: number): FaultSwitch {
  if (typeof item !== "object" || item === null) throw wrong(`switch ${number} is not an object`);
  const fields = item as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(fields).find((name) => !KNOWN.includes(name));
  if (unknown !== undefined)
    throw wrong(`switch ${number}: unknown field ${unknown}; known: ${KNOWN.join(", ")}`);
  const { kind, route = "*", times } = fields;
  if (typeof kind !== "string" || !KINDS.has(kind)) {
    throw wrong(`switch ${number}: kind must be one of ${[...KINDS].join(", ")}`);
  }
  if (typeof route !== "string") throw wrong(`switch ${number}: route must be text`);
  const amount = (name: string, fallback: number, least: number, most: number): number => {
    const given = fields[name] ?? fallback;
    if (typeof given === "number" && given >= least && given <= most) return given;
    throw wrong(`switch ${number}: ${name} must be a number from ${least} to ${most}`);
  };
  return {
    kind: kind as FaultKind,
    route,
    probability: amount("probability", 1, 0, 1),
    ...(times === undefined ? {} : { times: amount("times", 1, 0, Number.MAX_SAFE_INTEGER) }),
    delayMs: amount("delay_ms", 1_000, 0, 3_600_000),
    status: amount("status", 503, 200, 599),
    ageMs: amount("age_ms", 1_000, 0, 3_600_000),
  };
}

function wrong(message: string): QuantmeshError {
  return new QuantmeshError("DATA_INVALID", message);
}
