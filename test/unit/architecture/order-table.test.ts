/** The table of order states in ARCHITECTURE.md is the one in code, cell by cell. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OrderSignal, OrderStatus, Transition } from "../../../src/domain/order.ts";
import { ORDER_TRANSITIONS } from "../../../src/domain/order.ts";

const DOCUMENT = join(import.meta.dirname, "../../../ARCHITECTURE.md");
const HEADER = /^\| *from \\ on *\|/;

/** The words of the columns → the names in code. */
const SIGNALS: Readonly<Record<string, OrderSignal>> = {
  accepted: "accepted",
  rejected: "rejected",
  outcomeUnknown: "outcomeUnknown",
  "part fill": "partFill",
  filled: "filled",
  "cancel asked": "cancelAsked",
  "closed, executed known": "closed",
  "proven absent": "provenAbsent",
};

describe("the table of order states", () => {
  it("in ARCHITECTURE.md says what the code does", ({ skip }) => {
    const rows = readTable();
    if (rows === undefined) return skip("ARCHITECTURE.md has no such table");
    expect(Object.fromEntries(rows)).toEqual(ORDER_TRANSITIONS);
  });

  it("has a next state for every state and signal, and leaves a terminal state only for a filled one", () => {
    const terminal = ["filled", "canceled", "rejected", "absent"];
    for (const [from, row] of Object.entries(ORDER_TRANSITIONS)) {
      expect(Object.keys(row).sort()).toEqual(Object.values(SIGNALS).sort());
      if (!terminal.includes(from)) continue;
      for (const next of Object.values(row)) expect([from, "filled", "halt"]).toContain(next);
    }
  });

  it("is read with a dash as a halt, and `same` or a count as staying", () => {
    const read = (cell: string): Transition => meaning("canceled", cell);
    expect(["–", "-", "count it, –"].map(read)).toEqual(["halt", "halt", "halt"]);
    expect(["same", "count it", "count if new"].map(read)).toEqual(["canceled", "canceled", "canceled"]);
    expect(read("filled")).toBe("filled");
    expect(() => read("perhaps")).toThrow("perhaps");
  });
});

/** One entry for each state; undefined where there is no document or no table in it. */
function readTable(): [string, Record<string, Transition>][] | undefined {
  if (!existsSync(DOCUMENT)) return undefined;
  const lines = readFileSync(DOCUMENT, "utf8").split("\n");
  const start = lines.findIndex((line) => HEADER.test(line));
  if (start < 0) return undefined;
  const after = lines.slice(start);
  const length = after.findIndex((line) => !line.startsWith("|"));
  const [head = "", , ...body] = length < 0 ? after : after.slice(0, length);
  const signals = cellsOf(head).slice(1).map(signalOf);
  return body.flatMap((line) => {
    const [label = "", ...cells] = cellsOf(line);
    // `pending (intent stored)` is about pending; `rejected, absent` about both.
    const states = label.replace(/\(.*\)/, "").split(",");
    return states.map((state): [string, Record<string, Transition>] => {
      const from = statusOf(state.trim());
      return [from, Object.fromEntries(signals.map((signal, i) => [signal, meaning(from, cells[i] ?? "")]))];
    });
  });
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, "")
    .split("|")
    .map((cell) => cell.replaceAll("`", "").trim());
}

function signalOf(word: string): OrderSignal {
  const signal = SIGNALS[word];
  if (!signal) throw new Error(`unknown column "${word}"`);
  return signal;
}

function statusOf(word: string): OrderStatus {
  if (!(word in ORDER_TRANSITIONS)) throw new Error(`unknown order state "${word}"`);
  return word as OrderStatus;
}

/** A dash halts, whatever is counted before; `same` and a mere count stay; else the cell names the next state. */
function meaning(from: OrderStatus, cell: string): Transition {
  if (/[–—-]$/.test(cell)) return "halt";
  if (cell === "same" || cell === "count it" || cell === "count if new") return from;
  return statusOf(cell);
}
