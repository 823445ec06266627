/** The chart library that is inlined into the report, read from where npm put it. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

export interface ChartLibrary {
  readonly name: string;
  readonly script: string;
  readonly style: string;
  readonly licence: string;
}

export async function loadChartLibrary(): Promise<ChartLibrary> {
  const { resolve } = createRequire(import.meta.url);
  const read = async (file: string): Promise<string> => readFile(resolve(`uplot/${file}`), "utf8");
  const [script, style, licence] = await Promise.all([
    read("dist/uPlot.iife.min.js"),
    read("dist/uPlot.min.css"),
    read("LICENSE"),
  ]);
  return { name: "uPlot", script, style, licence: licence.trim() };
}
