/** YAML (and JSON, which is YAML) with every scalar as its source text, and the line of each node. */
import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument, visit } from "yaml";
import type { Document } from "yaml";
import type { Path } from "./path.ts";

export interface YamlText {
  /** Mappings, lists and source text; keys without a value are left out. Undefined for an empty text. */
  readonly value: unknown;
  /** Line of the node at `path`, or of the nearest one around it; from 1. */
  lineOf(path: Path): number;
}

/** What is wrong with the syntax; the reasons quote nothing of the text, which may hold secrets. */
export interface YamlProblem {
  readonly line: number;
  readonly reason: string;
}

const NO_VALUE = /^(|~|null|Null|NULL)$/;

/** Reads one document; problems instead where its syntax is wrong. */
export function readYaml(text: string): YamlText | readonly YamlProblem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    schema: "failsafe",
    merge: true,
    lineCounter: lines,
    prettyErrors: false,
  });
  const lineAt = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) return faults.map(({ pos, message }) => ({ line: lineAt(pos[0]), reason: message }));
  removeEmpty(document);
  try {
    return { value: document.toJS() ?? undefined, lineOf: (path) => lineAt(offsetOf(document, path)) };
  } catch (error) {
    // Aliases are resolved only now: unknown ones, and ones that multiply without end.
    return [{ line: 1, reason: error instanceof Error ? error.message : String(error) }];
  }
}

/** A key with nothing behind it (its section commented out) is a key that is not there. */
function removeEmpty(document: Document): void {
  visit(document, {
    Pair: (_, { value }) =>
      value === null || (isScalar(value) && value.type === "PLAIN" && NO_VALUE.test(String(value.value)))
        ? visit.REMOVE
        : undefined,
  });
}

function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === String(step));
      if (!pair) break;
      offset = isScalar(pair.key) ? (pair.key.range?.[0] ?? offset) : offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)];
      if (!isScalar(item) && !isMap(item) && !isSeq(item) && !isAlias(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else {
      break;
    }
  }
  return offset;
}
