/** `quantmesh list-data`: what is in the store, and what is missing of it. */
import type { Command } from "commander";
import type { CandleFolder } from "../backtest/history/candle-store.ts";
import { listFolders } from "../backtest/history/candle-store.ts";
import type { Survey } from "../backtest/history/survey.ts";
import { countGaps, extentOf, surveyOf } from "../backtest/history/survey.ts";
import { isoTime } from "../backtest/history/time-range.ts";
import { addDataFolderOption, addSeriesOptions } from "./data-options.ts";
import { seriesAsJson } from "./series-as-json.ts";
import { EXIT_FAILED } from "./exit-codes.ts";
import { meansSymbol, namesOf } from "./symbol-name.ts";
import { formatTable } from "./table.ts";

interface Options {
  readonly exchange?: string;
  readonly pairs?: readonly string[];
  readonly timeframe?: readonly string[];
  readonly timeframes?: readonly string[];
  readonly datadir: string;
  readonly showGaps?: boolean;
  readonly check?: boolean;
  readonly json?: boolean;
}

interface Listed {
  readonly folder: CandleFolder;
  readonly survey: Survey;
}

const COLUMNS: Readonly<Record<string, (listed: Listed) => string>> = {
  exchange: ({ folder }) => folder.series.exchange,
  symbol: ({ folder }) => folder.series.symbol,
  timeframe: ({ folder }) => folder.series.timeframe.name,
  from: ({ survey }) => isoTime(survey.from),
  to: ({ survey }) => isoTime(survey.to),
  candles: ({ survey }) => String(survey.candles),
  gaps: ({ survey }) => String(survey.gaps.length),
  missing: ({ survey }) => String(countGaps(survey, "missing").candles),
  absent: ({ survey }) => String(countGaps(survey, "absent").candles),
};

export function addListDataCommand(program: Command): void {
  const command = program
    .command("list-data")
    .description("list the candles in the store with their gaps")
    .option("-e, --exchange <name>", "only of this exchange");
  addDataFolderOption(addSeriesOptions(command))
    .option("--show-gaps", "list every gap, too")
    .option("--check", "exit with 1 where candles are missing that the exchange may have")
    .option("--json", "one JSON array, an object per series")
    .addHelpText(
      "after",
      "\nmissing: never asked for · absent: asked for, and the exchange has none." +
        "\nExit codes: 0 done · 1 a file is damaged, or --check found something · 2 wrong usage",
    )
    .action(listData);
}

async function listData(options: Options): Promise<void> {
  const listed: Listed[] = [];
  for (const folder of await listFolders(options.datadir)) {
    if (!isAskedFor(folder, options)) continue;
    const extent = await extentOf(folder);
    if (extent) listed.push({ folder, survey: await surveyOf(folder, extent) });
  }
  process.stdout.write(options.json ? asJson(listed) : asText(listed, options));
  const isIncomplete = listed.some(({ survey }) => survey.gaps.some(({ kind }) => kind === "missing"));
  if (options.check && isIncomplete) process.exitCode = EXIT_FAILED;
}

function isAskedFor({ series }: CandleFolder, { exchange, pairs, timeframe, timeframes }: Options): boolean {
  const [symbols, lengths] = [namesOf(pairs), namesOf([...(timeframe ?? []), ...(timeframes ?? [])])];
  return (
    (exchange === undefined || series.exchange === exchange) &&
    (symbols.length === 0 || symbols.some((name) => meansSymbol(name, series.symbol))) &&
    (lengths.length === 0 || lengths.includes(series.timeframe.name))
  );
}

function asText(listed: readonly Listed[], { datadir, showGaps = false }: Options): string {
  if (listed.length === 0) return `no candles in ${datadir}: \`quantmesh download-data\` puts some there\n`;
  const cells = listed.map((each) => Object.values(COLUMNS).map((column) => column(each)));
  const table = formatTable(Object.keys(COLUMNS), cells);
  return `${[table, ...(showGaps ? listed.flatMap(gapLines) : [])].join("\n")}\n`;
}

function gapLines({ folder: { series }, survey }: Listed): readonly string[] {
  if (survey.gaps.length === 0) return [];
  const rows = survey.gaps.map(({ kind, from, to, candles }) => [
    `  ${kind}`,
    isoTime(from),
    isoTime(to),
    String(candles),
  ]);
  const title = `${series.exchange} ${series.symbol} ${series.timeframe.name}`;
  return ["", title, formatTable(["  gap", "from", "to", "candles"], rows)];
}

function asJson(listed: readonly Listed[]): string {
  const objects = listed.map(({ folder, survey }) => seriesAsJson(folder, survey));
  return `${JSON.stringify(objects, null, 2)}\n`;
}
