/** What the checks found, as a table for people and as JSON for scripts. */
import type { Finding } from "../../domain/finding.ts";
import { redactText } from "../../observe/redact.ts";

const SIGNS = { ok: "✓", warn: "!", fault: "✗" } as const;

/** One line for each finding, with its remedy below; the numbers last. */
export function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(0, ...findings.map(({ check }) => check.length));
  const indent = " ".repeat(width + 4);
  const lines = findings.flatMap((finding) => [
    `${SIGNS[finding.level]} ${finding.check.padEnd(width)}  ${shown(finding.says)}`,
    ...(finding.level === "ok" ? [] : [`${indent}→ ${shown(finding.remedy)}`]),
  ]);
  const { faults, warnings } = countFindings(findings);
  const sum = [count(faults, "fault"), count(warnings, "warning"), `${findings.length} checks`].join(", ");
  return [...lines, "", sum].join("\n");
}

export function findingsAsJson(config: string, findings: readonly Finding[]): string {
  const { faults, warnings } = countFindings(findings);
  const rows = findings.map((finding) => ({
    ...finding,
    says: shown(finding.says),
    ...(finding.level === "ok" ? {} : { remedy: shown(finding.remedy) }),
  }));
  return JSON.stringify({ config, faults, warnings, findings: rows }, null, 2);
}

export function countFindings(findings: readonly Finding[]): {
  readonly faults: number;
  readonly warnings: number;
} {
  const of = (level: Finding["level"]): number =>
    findings.filter((finding) => finding.level === level).length;
  return { faults: of("fault"), warnings: of("warn") };
}

/** On one line, and without what a server's message may hold: addresses with passwords, signed requests. */
function shown(text: string): string {
  return redactText(text.replaceAll(/\s+/g, " "));
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
