/** The config as JSON Schema: what editors complete and check, and what the key tables are made from. */
import { z } from "zod";
import { DEFAULTS_OF_ALL, DEFAULTS_OF_WINDOWS } from "./complete-trading.ts";
import { sectionsSchema } from "./schema.ts";

/** The part of JSON Schema that the config needs. */
export interface JsonSchema {
  readonly description?: string;
  readonly type?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly oneOf?: readonly JsonSchema[];
}

/** Keys that a config file may leave out although the checked config has them: they are filled in before. */
const FILLED_IN = new Set<string>(["lattice", "symbols", ...DEFAULTS_OF_ALL, ...DEFAULTS_OF_WINDOWS]);

export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(sectionsSchema, {
    io: "input",
    override({ zodSchema, jsonSchema, path }) {
      const { def } = zodSchema._zod;
      // zod leaves defaults out where a field is parsed from text.
      if (def.type === "default") jsonSchema.default = def.defaultValue;
      if (path[1] === "trading" && jsonSchema.required) {
        jsonSchema.required = jsonSchema.required.filter((key) => !FILLED_IN.has(key));
      }
    },
  });
  return { title: "quantmesh config", ...schema } as JsonSchema;
}
