/** The schema as documentation: it becomes JSON Schema, and every field says what it is. */
import { describe, expect, it } from "vitest";
import type { JsonSchema } from "../../../src/config/json-schema.ts";
import { configJsonSchema } from "../../../src/config/json-schema.ts";
import type { CrowdOptions } from "../../../src/venue/market/crowd.ts";
import type { FaultOptions } from "../../../src/exchange/sim/faults.ts";

/** Paths of all fields below `schema`, with their schemas. */
function fieldsOf(schema: JsonSchema, path = ""): readonly (readonly [string, JsonSchema])[] {
  const named = Object.entries(schema.properties ?? {}).flatMap(([key, field]) => [
    [`${path}${key}`, field] as const,
    ...fieldsOf(field, `${path}${key}.`),
  ]);
  const extra = typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : [];
  const inner = [...extra, ...(schema.items ? [schema.items] : []), ...(schema.oneOf ?? [])];
  return [...named, ...inner.flatMap((child) => fieldsOf(child, `${path}*.`))];
}

describe("the config schema", () => {
  const fields = new Map(fieldsOf(configJsonSchema()));

  it("describes every field in a sentence", () => {
    const silent = [...fields].filter(([, { description }]) => !description?.endsWith("."));

    expect(silent.map(([path]) => path)).toEqual([]);
    expect(fields.size).toBeGreaterThan(45);
  });

  it("tells editors the types that people write, not the text that is parsed", () => {
    expect(fields.get("web.port")).toMatchObject({ type: "integer", minimum: 0, default: 28888 });
    expect(fields.get("web.enabled")).toMatchObject({ type: "boolean", enum: [true, false], default: true });
    expect(fields.get("trading.symbols.*.*.lower")).toMatchObject({ type: ["string", "number"] });
  });

  it("lets editors accept what is filled in from elsewhere: lattice, defaults, the short form", () => {
    const { trading } = configJsonSchema().properties ?? {};
    const lattices = trading?.properties?.["symbols"]?.items?.oneOf ?? [];

    expect(trading?.required).toEqual([]);
    expect(lattices.map(({ required }) => required)).toEqual([
      ["symbol", "lower", "upper", "grids"],
      ["symbol"],
    ]);
  });

  it("has a key for each fault and each habit of the crowd", () => {
    const faults = {
      seed: true,
      lostBefore: true,
      lostAfter: true,
      lateAnswer: true,
      lateRequest: true,
      rejected: true,
      duplicateHint: true,
      reorderedHints: true,
      missingHint: true,
      silentStream: true,
      partialFills: true,
      fillInCancel: true,
      lostCancelAnswer: true,
      staleQueries: true,
      unavailableReads: true,
      maxDelayMs: true,
      silenceMs: true,
      staleBeyondSettleMs: true,
      clockOffsetMs: true,
    } satisfies Record<keyof FaultOptions, true>;
    const crowd = {
      seed: true,
      users: true,
      ordersPerPoint: true,
      takesPerPoint: true,
      depthTicks: true,
      maxQuantity: true,
      lifePoints: true,
    } satisfies Record<keyof CrowdOptions, true>;

    expect(Object.keys(fields.get("exchanges.sim.faults")?.properties ?? {})).toEqual(
      Object.keys(faults).map(snakeCase),
    );
    expect(Object.keys(fields.get("exchanges.sim.crowd")?.properties ?? {})).toEqual(
      Object.keys(crowd).map(snakeCase),
    );
  });
});

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
