/** Takes the Go project's keys that this one does not read out of a config, each with its answer. */
import type { Answer } from "./original-keys.ts";
import { ORIGINAL_KEYS } from "./original-keys.ts";
import type { Finding, Path } from "./path.ts";
import { formatPath, isMapping } from "./path.ts";

export interface Answered {
  /** The config without the keys that were answered. */
  readonly value: unknown;
  readonly warnings: readonly Finding[];
  readonly problems: readonly Finding[];
}

type Severity = "warning" | "problem";

export function answerOriginalKeys(value: unknown): Answered {
  const found: Readonly<Record<Severity, Finding[]>> = { warning: [], problem: [] };
  /** `above`: how the section around was answered; below it only misnamed keys get a word of their own. */
  const visit = (node: unknown, path: Path, above: Severity | undefined): unknown => {
    const answer = answerTo(path, node);
    const isNew = answer !== undefined && (above === undefined || answer.effect === "misnamed");
    const severity = above ?? (answer && severityOf(answer, node));
    if (isNew && severity) found[severity].push({ path, reason: sentenceOf(answer, severity) });
    const rest = visitChildren(node, path, severity);
    return isNew ? undefined : rest;
  };
  const visitChildren = (node: unknown, path: Path, severity: Severity | undefined): unknown => {
    if (Array.isArray(node)) return node.map((item, index) => visit(item, [...path, index], severity));
    if (!isMapping(node)) return node;
    const kept = Object.entries(node).map(([key, child]) => [key, visit(child, [...path, key], severity)]);
    return Object.fromEntries(kept.filter(([, child]) => child !== undefined));
  };
  return { value: visit(value, [], undefined), warnings: found.warning, problems: found.problem };
}

function answerTo(path: Path, value: unknown): Answer | undefined {
  const parent = formatPath(path.slice(0, -1)).replaceAll(/\[\d+\]/g, "[]");
  const names = [formatPath(path).replaceAll(/\[\d+\]/g, "[]"), `${parent}.*`];
  const name = names.find((one) => Object.hasOwn(ORIGINAL_KEYS, one));
  const answer = name === undefined ? undefined : ORIGINAL_KEYS[name];
  return answer?.when && !answer.when(value) ? undefined : answer;
}

function severityOf({ effect, harmless }: Answer, value: unknown): Severity {
  return effect === "ignored" || harmless?.(value) ? "warning" : "problem";
}

function sentenceOf({ effect, reason }: Answer, severity: Severity): string {
  if (effect === "misnamed") return `no such key: ${reason}`;
  return `${severity === "warning" ? "has no effect" : "not available in this version; remove it"}: ${reason}`;
}
