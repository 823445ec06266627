/** The config's documents are those of the schema: `npm run schema` writes them. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { fillReference } from "../../../src/config/fill-reference.ts";
import { configJsonSchema } from "../../../src/config/json-schema.ts";
import { parseConfig } from "../../../src/config/load-config.ts";

const SCHEMA = "config/quantmesh.schema.json";
const EXAMPLE = "config/quantmesh.yaml";

describe("the documents of the config", () => {
  it("have the JSON Schema of today: run `npm run schema` where this fails", () => {
    expect(JSON.parse(readFileSync(SCHEMA, "utf8"))).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
  });

  it("have the tables of today: run `npm run schema` where this fails", () => {
    const document = readFileSync("docs/config.md", "utf8");

    expect(document).toBe(fillReference(document));
    expect(document).toContain("| `trading.symbols[].price_interval` (window) |");
    expect(document).toContain("| `system.timezone` | warned about |");
  });

  it("point editors from the example to the schema beside it", () => {
    expect(readFileSync(EXAMPLE, "utf8").split("\n")[0]).toBe(
      "# yaml-language-server: $schema=./quantmesh.schema.json",
    );
  });

  it("show examples that load", () => {
    const base = readFileSync(EXAMPLE, "utf8");
    const market =
      "{ tick_size: 0.01, lot_size: 0.0001, market: { type: walk, start_price: 2000, step: 1 } }";
    const examples = [...readFileSync("docs/config.md", "utf8").matchAll(/```yaml\n([\s\S]*?)```/g)];
    expect(examples.length).toBeGreaterThan(1);

    for (const [, example = ""] of examples) {
      const { exchanges } = parse(base) as { exchanges: { sim: { symbols: Record<string, unknown> } } };
      exchanges.sim.symbols["ETH/USDT"] = parse(market);
      const { config } = parseConfig(JSON.stringify({ exchanges, ...(parse(example) as object) }), "c");
      expect(config.trading.symbols.length).toBeGreaterThan(0);
    }
  });
});
