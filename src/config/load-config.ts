/** Reads the config file: YAML or JSON → Config, or every problem with its file, line and path. */
import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { QuantmeshError } from "../domain/errors.ts";
import { answerOriginalKeys } from "./answer-original-keys.ts";
import { applyOverrides } from "./apply-overrides.ts";
import { completeTrading } from "./complete-trading.ts";
import type { Environment } from "./expand-variables.ts";
import { expandVariables } from "./expand-variables.ts";
import type { Finding } from "./path.ts";
import { formatPath, valueAt } from "./path.ts";
import { readYaml } from "./read-yaml.ts";
import { REDACTED, isSecretPath } from "./redact-config.ts";
import type { Config } from "./schema.ts";
import { configSchema } from "./schema.ts";

const READ_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
};

export interface LoadedConfig {
  readonly config: Config;
  /** Keys that have no effect here, `source:line: path: reason` each, in the order of lines. */
  readonly warnings: readonly string[];
}

/** The config in `file`. Throws CONFIG_INVALID where it cannot be read or has problems, one per line. */
export async function loadConfig(file: string): Promise<Config> {
  return (await loadConfigWithWarnings(file)).config;
}

/** The config in `file`, overridden by this process's environment. Throws as `loadConfig`. */
export async function loadConfigWithWarnings(file: string): Promise<LoadedConfig> {
  return parseConfig(await readConfigFile(file), file, process.env);
}

/**
 * The config in `text`; `source` names it in messages, `env` overrides keys and fills `${NAME}` in.
 * Throws CONFIG_INVALID with one line per problem: `source:line: path: reason`, or the variable's name for the line
 * where an override is wrong. What concerns several sections at once (a symbol that the exchange has not) is checked
 * once each section is right by itself. No message holds a secret or the value of a variable.
 */
export function parseConfig(text: string, source: string, env: Environment = {}): LoadedConfig {
  const yaml = readYaml(text);
  if (!("lineOf" in yaml)) {
    throw invalid(yaml.map(({ line, reason }) => ({ line, text: `${source}:${line}: ${reason}` })));
  }
  const overridden = applyOverrides(yaml.value, env);
  const expanded = expandVariables(overridden.value, env);
  const locate = ({ path, reason }: Finding): Message => {
    const place = formatPath(path);
    const isInFile = valueAt(yaml.value, path) !== undefined;
    const variable = variableFor(place, overridden.variables, isInFile);
    const isHidden = isSecretPath(path) || expanded.places.has(place);
    const shown = isHidden ? hide(reason, valueAt(expanded.value, path)) : reason;
    const line = variable === undefined ? yaml.lineOf(path) : 0;
    return { line, text: [variable ?? `${source}:${line}`, place, shown].filter(Boolean).join(": ") };
  };
  const early = [
    ...overridden.problems.map(({ variable, reason }) => ({ line: 0, text: `${variable}: ${reason}` })),
    ...expanded.problems.map(locate),
  ];
  if (early.length > 0) throw invalid(early);

  const answered = answerOriginalKeys(expanded.value);
  const completed = completeTrading(answered.value);
  const parsed = configSchema.safeParse(completed.value, { error: describeIssue });
  const issues = parsed.success ? [] : parsed.error.issues.flatMap(problemsOf);
  const problems = [
    ...answered.problems,
    ...issues.map(({ path, reason }) => ({ path: completed.originOf(path), reason })),
  ];
  if (parsed.success && problems.length === 0) {
    return { config: parsed.data, warnings: inOrder(answered.warnings.map(locate)) };
  }
  throw invalid(problems.map(locate));
}

/** The text of `file`. Throws CONFIG_INVALID where it cannot be read. */
export async function readConfigFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    const reason = READ_FAILURES[code] ?? String(error);
    throw new QuantmeshError("CONFIG_INVALID", `cannot read config ${file}: ${reason}`, { cause: error });
  }
}

/** The variable that put the value at `place`, or, where the file has no such place, something below it. */
function variableFor(
  place: string,
  variables: ReadonlyMap<string, string>,
  isInFile: boolean,
): string | undefined {
  const exact = variables.get(place);
  if (exact !== undefined || isInFile) return exact;
  return [...variables].find(([path]) => path.startsWith(`${place}.`) || path.startsWith(`${place}[`))?.[1];
}

/** `reason` without the text that it complains about. */
function hide(reason: string, value: unknown): string {
  return typeof value === "string" && value !== "" ? reason.replaceAll(value, REDACTED) : reason;
}

/** One problem per issue; of unknown keys one per key, whose reasons are the lines of the issue's message. */
export function problemsOf(issue: z.core.$ZodIssue): readonly Finding[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path, reason: issue.message }];
  const reasons = issue.message.split("\n");
  return issue.keys.map((key, index) => ({
    path: [...issue.path, key],
    reason: reasons[index] ?? issue.message,
  }));
}

/** Our words for the issues that no field describes itself. */
export function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_key") return issue.issues[0]?.message;
  if (issue.input === undefined) return "is required";
  if (issue.code !== "invalid_type") return undefined;
  if (issue.expected === "object" || issue.expected === "record")
    return "must be a section with keys of its own";
  return issue.expected === "array" ? "must be a list" : "must be a single value";
}

interface Message {
  readonly line: number;
  readonly text: string;
}

function invalid(problems: readonly Message[]): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", inOrder(problems).join("\n"));
}

/** The texts by line; what was found at several copies of one value only once. */
function inOrder(messages: readonly Message[]): readonly string[] {
  return [...new Set(messages.toSorted((a, b) => a.line - b.line).map(({ text }) => text))];
}
