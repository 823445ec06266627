/** Plain text tables for people. */

/** Columns padded to their widest cell; numbers (by their look) to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const isNumeric = header.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[-+]?[\d.]*$/.test(row[column] ?? "")),
  );
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0;
          return isNumeric[column] ? cell.padStart(width) : cell.padEnd(width);
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
