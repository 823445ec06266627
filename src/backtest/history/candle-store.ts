/** Downloaded candles on disk: `DATADIR/<exchange>/<BASE-QUOTE>-<timeframe>/<YYYY-MM>.csv.gz`, months in UTC. */
import { readFile, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { QuantmeshError } from "../../domain/errors.ts";
import type { TimeSpan } from "../../domain/time-span.ts";
import { joinSpans } from "../../domain/time-span.ts";
import { makeFolders } from "../../storage/make-folders.ts";
import type { CandleLine } from "./month-file.ts";
import { damaged, monthOf, readMonth, replaceFile, writeMonth } from "./month-file.ts";
import type { Timeframe } from "./timeframe.ts";
import { parseTimeframe } from "./timeframe.ts";

/** The rules of a market when it was downloaded last, so that a back-test needs no exchange; exact decimal text. */
export interface StoredRules {
  readonly tickSize: string;
  readonly lotSize: string;
  readonly minQuantity: string;
  readonly minNotional: string;
  /** Undefined where the exchange publishes none. */
  readonly makerFee: string | undefined;
  readonly takerFee: string | undefined;
  /** So many orders of an account may rest; undefined where the exchange did not tell, or nobody asked. */
  readonly mostOpenOrders: number | undefined;
  /** Address of the private server that plays the exchange; undefined of the exchange itself. */
  readonly server: string | undefined;
}

/** Which candles. */
export interface Series {
  readonly exchange: string;
  /** `BTC/USDT`. */
  readonly symbol: string;
  readonly timeframe: Timeframe;
}

const MONTH_FILE = /^(\d{4}-(?:0[1-9]|1[0-2]))\.csv\.gz$/;
const FOLDER = /^(.+)-([^-]+)-([^-]+)$/;
const ABSENT = "absent.json";
const MARKET = "market.json";

/** The candles of one series. Whoever writes holds the lock `lockFile`. */
export class CandleFolder {
  readonly series: Series;
  readonly path: string;

  constructor(dataFolder: string, series: Series) {
    const [base = "", quote = ""] = series.symbol.split("/").map(encodeURIComponent);
    this.series = series;
    this.path = join(dataFolder, series.exchange, `${base}-${quote}-${series.timeframe.name}`);
  }

  /** What a lock of this series is named by. */
  get lockFile(): string {
    return join(this.path, "download");
  }

  /** Makes the folder. Throws CONFIG_INVALID where that cannot be. */
  prepare(): void {
    try {
      makeFolders(this.path);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `--datadir: cannot write to ${this.path}: ${reason}; name a folder that this user may write to`;
      throw new QuantmeshError("CONFIG_INVALID", message, { cause });
    }
  }

  /** Removes what a download that was killed left half-written. */
  async clean(): Promise<void> {
    const names = await namesIn(this.path);
    for (const name of names.filter((each) => each.endsWith(".tmp"))) await rm(join(this.path, name));
  }

  /** The months that there are, ascending. */
  async months(): Promise<readonly string[]> {
    const names = await namesIn(this.path);
    return names.flatMap((name) => MONTH_FILE.exec(name)?.[1] ?? []).sort();
  }

  fileOf(month: string): string {
    return join(this.path, `${month}.csv.gz`);
  }

  /** The lines of a month; none where there is no such file. Throws DATA_INVALID where it is not as it was written. */
  async read(month: string): Promise<readonly CandleLine[]> {
    if (!(await this.months()).includes(month)) return [];
    const lines = await readMonth(this.fileOf(month));
    const stray = lines.find(({ at }) => at % this.series.timeframe.ms !== 0 || monthOf(at) !== month);
    if (stray) throw damaged(this.fileOf(month), `a candle of ${this.series.timeframe.name} at ${stray.at}`);
    return lines;
  }

  async write(month: string, lines: readonly CandleLine[]): Promise<void> {
    await writeMonth(this.fileOf(month), lines);
  }

  /** Spans for which the exchange was asked and answered that it has no candle, joined and ascending. */
  async absent(): Promise<readonly TimeSpan[]> {
    const file = join(this.path, ABSENT);
    const told = await readJson(file);
    if (told === undefined) return [];
    if (!Array.isArray(told) || !told.every(isSpan)) throw damaged(file, "it is not a list of spans");
    return joinSpans(told.map(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) })));
  }

  async writeAbsent(spans: readonly TimeSpan[]): Promise<void> {
    const texts = joinSpans(spans).map(({ from, to }) => ({
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
    }));
    await replaceFile(join(this.path, ABSENT), `${JSON.stringify(texts, null, 2)}\n`);
  }

  async rules(): Promise<StoredRules | undefined> {
    const file = join(this.path, MARKET);
    const told = await readJson(file);
    if (told === undefined) return undefined;
    const { tickSize, lotSize, minQuantity, minNotional, ...rest } = told as Partial<StoredRules>;
    const needed = [tickSize, lotSize, minQuantity, minNotional];
    if (!needed.every((text) => typeof text === "string"))
      throw damaged(file, "it lacks rules of the market");
    const { mostOpenOrders: most } = rest;
    if (most !== undefined && !(Number.isSafeInteger(most) && most > 0))
      throw damaged(file, "mostOpenOrders is no count");
    return {
      ...(told as StoredRules),
      mostOpenOrders: most,
      makerFee: rest.makerFee,
      takerFee: rest.takerFee,
      server: rest.server,
    };
  }

  async writeRules(rules: StoredRules): Promise<void> {
    const { symbol, exchange } = this.series;
    await replaceFile(
      join(this.path, MARKET),
      `${JSON.stringify({ exchange, symbol, ...rules }, null, 2)}\n`,
    );
  }
}

/** Every series in the store that has candles, by exchange, symbol and length of the candle. */
export async function listFolders(dataFolder: string): Promise<readonly CandleFolder[]> {
  const folders: CandleFolder[] = [];
  for (const exchange of await namesIn(dataFolder)) {
    for (const name of await namesIn(join(dataFolder, exchange))) {
      const series = seriesOf(exchange, name);
      if (!series) continue;
      const folder = new CandleFolder(dataFolder, series);
      if ((await folder.months()).length > 0) folders.push(folder);
    }
  }
  const keyOf = ({ series }: CandleFolder): string => `${series.exchange} ${series.symbol}`;
  return folders.sort(
    (a, b) => keyOf(a).localeCompare(keyOf(b), "en") || a.series.timeframe.ms - b.series.timeframe.ms,
  );
}

function seriesOf(exchange: string, name: string): Series | undefined {
  const [, base, quote, timeframe] = FOLDER.exec(name) ?? [];
  if (base === undefined || quote === undefined || timeframe === undefined) return undefined;
  try {
    const symbol = `${decodeURIComponent(base)}/${decodeURIComponent(quote)}`;
    return { exchange, symbol, timeframe: parseTimeframe(timeframe) };
  } catch {
    // Somebody else's folder.
    return undefined;
  }
}

/** None where it is no folder. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw new QuantmeshError("DATA_INVALID", `cannot read ${folder}: ${String(error)}`, { cause: error });
  }
}

async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw damaged(file, "cannot be read", error);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw damaged(file, "it is not JSON", error);
  }
}

function isSpan(value: unknown): value is { readonly from: string; readonly to: string } {
  if (typeof value !== "object" || value === null || !("from" in value) || !("to" in value)) return false;
  return [value.from, value.to].every((text) => typeof text === "string" && !Number.isNaN(Date.parse(text)));
}
