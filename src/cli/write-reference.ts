/** `npm run schema`: writes what is generated from the config schema: the JSON Schema and the tables of keys. */
import { readFileSync, writeFileSync } from "node:fs";
import { configJsonSchema } from "../config/json-schema.ts";
import { fillReference } from "../config/fill-reference.ts";

const DOCUMENT = "docs/config.md";

writeFileSync("config/quantmesh.schema.json", `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
writeFileSync(DOCUMENT, fillReference(readFileSync(DOCUMENT, "utf8")));
