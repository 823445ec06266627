/** The kinds of config field: every scalar arrives as its source text and is checked here, never through a float. */
import { z } from "zod";
import { ONE, formatDecimal, parseDecimal } from "../domain/decimal.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { nearestKey } from "./nearest-key.ts";

/** The largest seed of anything random. */
export const MAX_SEED = 2 ** 32 - 1;

/** Keys that are known but refused, each with the sentence that says why and what to do. */
export type Refused = Readonly<Record<string, string>>;

/** A strict mapping: each key that it does not know is a problem of its own (one line of the issue's message). */
export function section<Shape extends z.ZodRawShape>(shape: Shape, refused: Refused = {}) {
  const reasonFor = (key: string): string =>
    Object.hasOwn(refused, key) ? String(refused[key]) : unknownKey(key, Object.keys(shape));
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? issue.keys.map(reasonFor).join("\n") : undefined),
  });
}

/** An exact decimal above 0 (at most 18 places) → its shortest text. */
export function positiveAmount() {
  return decimal((units) => units > 0n, "must be above 0");
}

/** An exact decimal of at least 0 → its shortest text. */
export function amount() {
  return decimal((units) => units >= 0n, "must be at least 0");
}

/** A share, at least 0 and below 1 (0.1 % = 0.001). */
export function share() {
  return decimal((units) => units >= 0n && units < ONE, "must be at least 0 and below 1");
}

/** A whole number between `least` and `most`, both included. */
export function wholeNumber(least: number, most: number) {
  return z
    .string()
    .transform((text, context) => {
      const value = /^(\d+|-[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      context.addIssue(`must be a whole number from ${least} to ${most}, not "${text}"`);
      return z.NEVER;
    })
    .meta({ type: "integer", minimum: least, maximum: most });
}

/** A number between `least` and `most`, both included. Never used for money. */
export function number(least: number, most: number) {
  return z
    .string()
    .transform((text, context) => {
      const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      context.addIssue(`must be from ${least} to ${most}, not "${text}"`);
      return z.NEVER;
    })
    .meta({ type: "number", minimum: least, maximum: most });
}

/** How often something happens: from 0 (never) to 1 (always). Never used for money. */
export function rate() {
  return z
    .string()
    .transform((text, context) => {
      const value = /^\d*\.?\d+$/.test(text) ? Number(text) : Number.NaN;
      if (value >= 0 && value <= 1) return value;
      context.addIssue(`must be from 0 (never) to 1 (always), not "${text}"`);
      return z.NEVER;
    })
    .meta({ type: "number", minimum: 0, maximum: 1 });
}

/** `true` or `false`. */
export function flag() {
  return choice(["true", "false"])
    .transform((text) => text === "true")
    .meta({ type: "boolean", enum: [true, false] });
}

/** One of `values`; a value that is known but refused gets its own sentence. */
export function choice<const Values extends readonly [string, ...string[]]>(
  values: Values,
  refused: Refused = {},
) {
  return z.enum(values, {
    error: ({ input }) => {
      if (typeof input !== "string") return undefined;
      return Object.hasOwn(refused, input)
        ? refused[input]
        : `must be ${values.join(" or ")}, not "${input}"`;
    },
  });
}

/** Text that is not empty. */
export function text() {
  return z.string().min(1, "must not be empty");
}

/** A member of an etcd cluster; with a user and password in it, etcd's client would look for a host of that name, and say so in the log. */
export function etcdMember() {
  return z
    .string()
    .regex(
      /^https?:\/\/[^\s/@]+$/,
      "must be an address like http://127.0.0.1:2379; a user and a password go into username and password",
    );
}

function decimal(accepts: (units: bigint) => boolean, rule: string) {
  return z
    .string()
    .transform((source, context) => {
      try {
        const units = parseDecimal(source);
        if (accepts(units)) return formatDecimal(units);
        context.addIssue(`${rule}, not ${source}`);
      } catch (error) {
        if (!(error instanceof QuantmeshError)) throw error;
        context.addIssue(error.message);
      }
      return z.NEVER;
    })
    .meta({ type: ["string", "number"] });
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = nearestKey(key, known);
  const hint = nearest === undefined ? `known keys: ${known.join(", ")}` : `did you mean "${nearest}"?`;
  return `unknown key "${key}"; ${hint}`;
}
