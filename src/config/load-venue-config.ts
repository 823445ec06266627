/** Reads the config of `quantmesh venue`, and the file of its keys: checked values, or every problem with its line. */
import { statSync } from "node:fs";
import type { z } from "zod";
import { QuantmeshError } from "../domain/errors.ts";
import type { Environment } from "./expand-variables.ts";
import { expandVariables } from "./expand-variables.ts";
import { describeIssue, problemsOf, readConfigFile } from "./load-config.ts";
import { formatPath } from "./path.ts";
import { readYaml } from "./read-yaml.ts";
import { isSecretPath } from "./redact-config.ts";
import type { VenueConfig, VenueKeyConfig } from "./venue-schema.ts";
import { venueKeysSchema, venueSchema } from "./venue-schema.ts";

/** The config in `file`, or all defaults without one. Throws CONFIG_INVALID with one line per problem. */
export async function loadVenueConfig(file: string | undefined, env: Environment): Promise<VenueConfig> {
  return parse(venueSchema, file === undefined ? "{}" : await readConfigFile(file), file ?? "defaults", env, {
    literalSecrets: false,
  });
}

/** The keys in `file`. Throws CONFIG_INVALID where anybody but its owner may read it. */
export async function loadVenueKeys(file: string, env: Environment): Promise<readonly VenueKeyConfig[]> {
  const text = await readConfigFile(file);
  if ((statSync(file).mode & 0o077) !== 0) {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${file} holds secrets and others may read it: chmod 600 ${file}`,
    );
  }
  return parse(venueKeysSchema, text, file, env, { literalSecrets: true });
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  source: string,
  env: Environment,
  { literalSecrets }: { readonly literalSecrets: boolean },
): z.output<Schema> {
  const yaml = readYaml(text);
  if (!("lineOf" in yaml)) {
    throw invalid(yaml.map(({ line, reason }) => `${source}:${line}: ${reason}`));
  }
  const { value, places, problems } = expandVariables(yaml.value ?? {}, env);
  const parsed = schema.safeParse(value, { error: describeIssue });
  const found = [...problems, ...(parsed.success ? [] : parsed.error.issues.flatMap(problemsOf))];
  if (parsed.success && found.length === 0) {
    if (!literalSecrets) requireFromEnvironment(value, places, source);
    return parsed.data;
  }
  throw invalid(
    found.map(({ path, reason }) => {
      // A reason may quote the value.
      const shown = isSecretPath(path) || places.has(formatPath(path)) ? "is not valid" : reason;
      return [`${source}:${yaml.lineOf(path)}`, formatPath(path), shown].filter(Boolean).join(": ");
    }),
  );
}

function requireFromEnvironment(value: unknown, places: ReadonlySet<string>, source: string): void {
  const { keys = [] } = value as { readonly keys?: readonly unknown[] };
  const literal = keys.findIndex((_, index) => !places.has(`keys[${index}].secret_key`));
  if (literal < 0) return;
  throw invalid([
    `${source}: keys[${literal}].secret_key: write \${NAME} and set that environment variable, or move the key into a keys_file`,
  ]);
}

function invalid(lines: readonly string[]): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", lines.join("\n"));
}
