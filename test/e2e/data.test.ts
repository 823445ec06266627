/** Candles from an exchange into the store and out of it again, with the real command against a real venue. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { configOnVenue, pastMarket, writeHistory } from "../support/candle-history.ts";
import type { Command, CommandEnd } from "../support/command.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const CONFIG = "config.json";
/** Three days of January and five of February. */
const FROM = Date.parse("2024-01-29T00:00:00Z");
const MINUTES = 8 * 1_440;
const RANGE = "20240129-20240206";
const HOLES = [5_000, 5_001, 5_002, 9_000];
const FOLDER = join("data", "candles", "binance", "BTC-USDT-1m");
const GRID = "--lower 25000 --upper 28000 --grids 30 --order-quantity 100";
const KLINES = "GET /api/v3/klines";
const [DONE, FAILED, WRONG, INTERRUPTED] = [0, 1, 2, 130];

describe("stored candles", () => {
  let venue: VenueProcess;
  let past = "";
  let expected: readonly string[] = [];
  let cwd = "";
  beforeAll(async () => {
    past = mkdtempSync(join(tmpdir(), "quantmesh-past-"));
    const isHole = (minute: number): boolean => HOLES.includes(minute);
    expected = writeHistory(join(past, "btc.csv"), { from: FROM, minutes: MINUTES, seed: 5, isHole });
    writeHistory(join(past, "eth.csv"), { from: FROM, minutes: 3_000, seed: 6 });
    venue = await startVenueProcess({
      symbols: {
        "BTC/USDT": pastMarket(join(past, "btc.csv")),
        "ETH/USDT": pastMarket(join(past, "eth.csv")),
        "ETH/BTC": {
          tick_size: "0.00001",
          lot_size: "0.001",
          market: { type: "manual", start_price: "0.05" },
        },
      },
    });
  });
  afterAll(async () => {
    await venue.server.stop();
    rmSync(past, { recursive: true, force: true });
  });
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "quantmesh-data-"));
    writeFileSync(join(cwd, CONFIG), configOnVenue(venue, ["BTC/USDT"]));
  });
  afterEach(async () => {
    await endCommands();
    await venue.admin.faults([]);
    rmSync(cwd, { recursive: true, force: true });
  });

  const words = (args: string): readonly string[] => args.split(" ").filter(Boolean);
  const run = async (args: string): Promise<CommandEnd> => runCommand(words(args), { cwd });
  /** Side by side: they only read. */
  const runAll = async <Lines extends readonly string[]>(
    ...lines: Lines
  ): Promise<{ [Index in keyof Lines]: CommandEnd }> =>
    Promise.all(lines.map(run)) as Promise<{ [Index in keyof Lines]: CommandEnd }>;
  const download = async (args = ""): Promise<CommandEnd> =>
    run(`download-data -c ${CONFIG} --timerange ${RANGE} ${args}`);
  const startDownload = (): Command =>
    startCommand(words(`download-data -c ${CONFIG} --timerange ${RANGE}`), { cwd });

  /** Everything in the folder of the series, unzipped, by name. */
  function contents(folder = join(cwd, FOLDER)): Readonly<Record<string, string>> {
    const names = readdirSync(folder).sort();
    return Object.fromEntries(
      names.map((name) => {
        const bytes = readFileSync(join(folder, name));
        return [name, (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()];
      }),
    );
  }

  function linesOf(files: Readonly<Record<string, string>>): readonly string[] {
    const months = Object.keys(files).filter((name) => name.endsWith(".csv.gz"));
    return months.flatMap((name) => (files[name] ?? "").trimEnd().split("\n").slice(1));
  }

  /** Resolves once the venue was asked for `pages` more pages than by now. */
  async function pagesAsked(pages: number, command: Command): Promise<void> {
    // The rules and the time come first.
    const target = (await venue.admin.status()).requests + 2 + pages;
    let isOver = false;
    void command.ended.then(() => (isOver = true));
    while (!isOver && (await venue.admin.status()).requests < target);
  }

  it("are the exchange's own, digit by digit, with what it has not got remembered and never asked for again", async () => {
    const first = await download();

    expect(first).toMatchObject({ code: DONE, stderr: "" });
    expect(first.stdout).toBe(
      `binance BTC/USDT 1m: ${expected.length} candles from 2024-01-29T00:00:00.000Z to 2024-02-06T00:00:00.000Z, ` +
        `${expected.length} of them new; 4 in 2 gaps that the exchange has not got\n`,
    );
    const files = contents();
    expect(Object.keys(files)).toEqual([
      "2024-01.csv.gz",
      "2024-02.csv.gz",
      "absent.json",
      "download.lock",
      "market.json",
    ]);
    expect(linesOf(files)).toEqual(expected);

    const { requests } = await venue.admin.status();
    const second = await download("--json");
    expect(JSON.parse(second.stdout)).toMatchObject([
      { candles: expected.length, added: 0, missing: 0, absent: 4 },
    ]);
    expect((await venue.admin.status()).requests - requests).toBe(2);
    expect(contents()).toEqual(files);
  });

  it("are the same after kills at any moment as after none", async () => {
    await download();
    const whole = contents();
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (let round = 0; round < scaled(10); round++) {
      rmSync(join(cwd, FOLDER), { recursive: true });
      for (let kill = 0; kill < 3; kill++) {
        await venue.admin.faults([{ kind: "delayed_request", route: KLINES, delay_ms: 20 }]);
        const command = startDownload();
        await pagesAsked(1 + Math.floor(random() * 10), command);
        command.kill("SIGKILL");
        await command.ended;
      }
      await venue.admin.faults([]);

      expect(await download()).toMatchObject({ code: DONE, stderr: "" });

      expect(contents(), `seed ${seed}, round ${round}`).toEqual(whole);
    }
  });

  it("are downloaded by one process at a time, and by the next one once that is dead", async () => {
    // It is at work for as long as the other one may need to start.
    await venue.admin.faults([{ kind: "delayed_request", route: KLINES, delay_ms: 5_000 }]);
    const first = startDownload();
    await pagesAsked(1, first);

    const second = await download();

    expect(second).toMatchObject({ code: FAILED, stdout: "" });
    expect(second.stderr).toBe(
      `quantmesh: binance BTC/USDT 1m is being downloaded into ${FOLDER} by another process: wait until it is done, or stop it\n`,
    );
    first.kill("SIGKILL");
    await first.ended;
    await venue.admin.faults([]);
    expect(await download()).toMatchObject({ code: DONE, stderr: "" });
  });

  it("stay as far as they are when Ctrl-C ends the download after its page", async () => {
    await venue.admin.faults([{ kind: "delayed_request", route: KLINES, delay_ms: 1_000 }]);
    const command = startDownload();
    await pagesAsked(2, command);

    const end = await command.interrupt();

    expect(end).toMatchObject({
      code: INTERRUPTED,
      signal: null,
      stderr: "quantmesh: stopped; what has arrived is stored, and the same command goes on\n",
    });
    const stored = linesOf(contents());
    expect(stored.length).toBeGreaterThan(0);
    expect(stored).toEqual(expected.slice(0, stored.length));
    await venue.admin.faults([]);
    const rest = await download("--json");
    expect(JSON.parse(rest.stdout)).toMatchObject([{ added: expected.length - stored.length }]);
  });

  it("are asked for again where the exchange fails or answers with a page of a proxy", async () => {
    await venue.admin.faults([
      { kind: "error_before", route: KLINES, status: 503, times: 1 },
      { kind: "html_body", route: KLINES, status: 200, times: 1 },
    ]);

    const end = await download("--json");

    expect(end).toMatchObject({ code: DONE, stderr: "" });
    expect(linesOf(contents())).toEqual(expected);
  });

  it("are listed with their gaps, and --check fails where some may still be downloaded", async () => {
    await download();
    await run(
      `download-data -c ${CONFIG} --pairs ETHUSDT,BTC-USDT --timeframe 1h 1d --timerange 20240129-20240131`,
    );

    const [table, json, whole] = await runAll(
      "list-data --show-gaps",
      "list-data --pairs BTCUSDT --timeframe 1m --json",
      "list-data --check",
    );

    expect([table, json, whole].map(({ code, stderr }) => [code, stderr])).toEqual(
      Array.from({ length: 3 }, () => [DONE, ""]),
    );
    expect(table.stdout.split("\n")[0]).toMatch(
      /^exchange +symbol +timeframe +from +to +candles +gaps +missing +absent$/,
    );
    for (const series of ["BTC/USDT  1m", "BTC/USDT  1h", "BTC/USDT  1d", "ETH/USDT  1h", "ETH/USDT  1d"]) {
      expect(table.stdout).toMatch(new RegExp(`^binance +${series} `, "m"));
    }
    expect(table.stdout).toMatch(/^ {2}absent +2024-02-01T11:20:00\.000Z +2024-02-01T11:23:00\.000Z +3$/m);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { symbol: "BTC/USDT", timeframe: "1m", missing: 0, absent: 4, gaps: [{ candles: 3 }, { candles: 1 }] },
    ]);

    const market = join(cwd, FOLDER, "market.json");
    const told = readFileSync(market, "utf8");
    expect(JSON.parse(told)).toMatchObject({ tickSize: "0.01", lotSize: "0.00001", server: venue.url });
    writeFileSync(market, told.replace(/,\s*"server": "[^"]+"/, ""));
    const mixed = await download();
    expect(mixed).toMatchObject({ code: WRONG, stdout: "" });
    expect(mixed.stderr).toContain(
      `${FOLDER} has candles of the exchange itself, not of ${venue.url}: give --datadir another folder`,
    );
    rmSync(join(cwd, FOLDER, "absent.json"));
    const unasked = await run("list-data --check --pairs BTC/USDT");
    expect(unasked.code).toBe(FAILED);
    truncateSync(join(cwd, FOLDER, "2024-01.csv.gz"), 1_000);
    const damaged = await run("list-data");
    expect(damaged).toMatchObject({ code: FAILED, stdout: "" });
    expect(damaged.stderr).toMatch(/2024-01\.csv\.gz: cannot be read .+; delete it and download it again\n$/);
  });

  it("give a back-test the same figures as the file that they came from", async () => {
    await download();
    await run(`download-data -c ${CONFIG} --pairs ETH/USDT --timerange 20240129-20240131`);
    const figures = (text: string): object =>
      withoutTiming(JSON.parse(text) as Readonly<Record<string, unknown>>);

    const [fromFile, all, part, days] = await runAll(
      `backtest --data ${join(past, "btc.csv")} --symbol BTC/USDT --tick 0.01 --lot 0.00001 --min-notional 5 ${GRID} --json`,
      `backtest --symbol BTCUSDT ${GRID} --json`,
      `backtest --symbol BTC/USDT --timerange 20240130-20240202 ${GRID} --json`,
      `backtest --symbol BTC/USDT --days 2 ${GRID}`,
    );

    expect([all, part, days].map(({ code, stderr }) => [code, stderr])).toEqual(
      Array.from({ length: 3 }, () => [DONE, ""]),
    );
    expect(figures(all.stdout)).toEqual(figures(fromFile.stdout));
    expect(figures(part.stdout)).toMatchObject({
      from: "2024-01-30T00:00:00.000Z",
      to: "2024-02-02T00:00:00.000Z",
      candles: 3 * 1_440 - 3,
      gaps: 1,
      missingCandles: 3,
      biggestGap: { from: "2024-02-01T11:20:00.000Z", to: "2024-02-01T11:23:00.000Z", candles: 3 },
      identityError: "0",
    });
    expect(days.stdout).toMatch(/^gaps +1, 1 candles missing; the biggest of 1, 2024-02-04T06:00/m);
    expect(days.stdout).toMatch(/^speed +\d+ candles\/s/m);
  });

  it("come with the market's limit: a back-test refuses a grid with more orders than may rest, as run does", async () => {
    await run(`download-data -c ${CONFIG} --pairs BTC/USDT --timerange 20240129-20240130`);

    const [most, tooMany] = await runAll(
      `backtest --symbol BTC/USDT --fee 0 ${GRID.replace("--grids 30", "--grids 200")}`,
      `backtest --symbol BTC/USDT --fee 0 ${GRID.replace("--grids 30", "--grids 201")}`,
    );

    expect(most).toMatchObject({ code: DONE, stderr: "" });
    expect(tooMany).toMatchObject({ code: WRONG, stdout: "" });
    expect(tooMany.stderr).toMatch(
      /^quantmesh: up to 201 orders rest, and the exchange takes 200 of an account: set order_cleanup_threshold to 200 or less for BTC\/USDT \(trading\.symbols\), or use fewer levels$/m,
    );
  });

  it("are back-tested for every grid of a config, one object each", async () => {
    writeFileSync(join(cwd, CONFIG), configOnVenue(venue, ["BTC/USDT", "ETH/USDT"]));
    await run(`download-data -c ${CONFIG} --timerange 20240129-20240131`);

    const [both, one, exported, chosen] = await runAll(
      `backtest -c ${CONFIG} --timerange 20240129-20240131 --json`,
      `backtest -c ${CONFIG} --symbol ETH-USDT --json`,
      `backtest -c ${CONFIG} --export refused`,
      `backtest -c ${CONFIG} --symbol BTC/USDT --export out`,
    );

    expect([both.stderr, one.stderr]).toEqual(["", ""]);
    expect(JSON.parse(both.stdout)).toMatchObject([
      { symbol: "BTC/USDT", candles: 2_880 },
      { symbol: "ETH/USDT", candles: 2_880 },
    ]);
    expect(JSON.parse(one.stdout)).toMatchObject({ symbol: "ETH/USDT", candles: 2_880 });
    expect(exported).toMatchObject({ code: WRONG });
    expect(exported.stderr).toMatch(/--export is for one grid of the 2: name it with --symbol/);
    expect(chosen).toMatchObject({ code: DONE, stderr: "" });
    expect(readdirSync(join(cwd, "out")).sort()).toEqual(["report.html", "result.json", "trades.csv"]);
  });

  it("that are missing are told with the very command that downloads them", async () => {
    await run(`download-data -c ${CONFIG} --timerange 20240130-20240201`);

    const early = await run(`backtest -c ${CONFIG} --timerange 20240129-20240201`);
    const command = /`quantmesh (.+?)`/.exec(early.stderr)?.[1] ?? "";

    expect(early).toMatchObject({ code: FAILED, stdout: "" });
    expect(command).toBe(
      "download-data --exchange binance --pairs BTC/USDT --timeframe 1m --timerange 20240129-20240130",
    );
    expect(await run(`${command} -c ${CONFIG}`)).toMatchObject({ code: DONE });
    expect(await run(`backtest -c ${CONFIG} --timerange 20240129-20240201`)).toMatchObject({ code: DONE });
  });

  it("come from markets whose rules are listed, for people and for scripts", async () => {
    const [table, json, exchanges, listed] = await runAll(
      `list-markets -c ${CONFIG} --quote usdt`,
      `list-pairs -c ${CONFIG} --json`,
      "exchanges",
      "list-exchanges",
    );

    expect(table).toMatchObject({ code: DONE, stderr: "" });
    expect(table.stdout.split("\n").map((line) => line.split(/\s+/)[0])).toEqual([
      "symbol",
      "BTC/USDT",
      "ETH/USDT",
      "",
    ]);
    expect(JSON.parse(json.stdout)).toMatchObject([
      { symbol: "BTC/USDT", tickSize: "0.01", lotSize: "0.00001", minQuantity: "0.00001", minNotional: "5" },
      { symbol: "ETH/BTC", tickSize: "0.00001", lotSize: "0.001", minNotional: "5" },
      { symbol: "ETH/USDT" },
    ]);
    expect(listed).toEqual(exchanges);
  });

  const file = `-c ${CONFIG}`;
  it.each<readonly [string, string, number, RegExp]>([
    [
      "no exchange",
      "download-data --pairs BTC/USDT",
      WRONG,
      /--exchange is missing: give it, like --exchange binance/,
    ],
    [
      "no such exchange",
      "download-data --exchange nowhere --pairs A/B",
      WRONG,
      /ccxt knows no exchange "nowhere"/,
    ],
    [
      "no such pair",
      `download-data ${file} --pairs DOGE/USDT`,
      WRONG,
      /binance has no spot market DOGE\/USDT .+`quantmesh list-markets --exchange binance` shows them/,
    ],
    [
      "no such timeframe",
      `download-data ${file} --timeframe 7m`,
      WRONG,
      /"7m" is not a timeframe: give minutes/,
    ],
    [
      "a timeframe of others",
      `download-data ${file} -t 10m`,
      WRONG,
      /no candles of 10m; it has 1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 8h, 12h, 1d/,
    ],
    ["no beginning", `download-data ${file} --timerange -20240201`, WRONG, /give its beginning, too/],
    ["the future", `download-data ${file} --timerange 29990101-`, WRONG, /has no candle of 1m that is over/],
    ["days and a range", `download-data ${file} --days 1 --timerange 20240101-`, WRONG, /not both/],
    [
      "a file for a folder",
      `download-data ${file} --datadir ${CONFIG}`,
      WRONG,
      /--datadir: cannot write to config/,
    ],
    [
      "days of a file",
      `backtest -d x.csv ${file} --days 3`,
      WRONG,
      /--days is for stored candles; x\.csv is read/,
    ],
    [
      "nothing stored",
      `backtest --symbol BTC/USDT --days 3 ${GRID}`,
      FAILED,
      /no candles of BTC\/USDT 1m in .+`quantmesh download-data .+ --days 3`, or name a candle file with --data/,
    ],
  ])("are not touched by a command with %s, which says what to do", async (_, args, code, says) => {
    const end = await run(args);

    expect(end).toMatchObject({ code, stdout: "" });
    expect(end.stderr).toMatch(says);
    expect(end.stderr).not.toMatch(/ {4}at |internal error/);
    expect(readdirSync(cwd)).toEqual([CONFIG]);
  });

  it("are listed as none where there are none", async () => {
    mkdirSync(join(cwd, "empty"));

    expect(await run("list-data --datadir empty")).toMatchObject({
      code: DONE,
      stdout: "no candles in empty: `quantmesh download-data` puts some there\n",
    });
    expect(await run("list-data --datadir nowhere --json")).toMatchObject({ code: DONE, stdout: "[]\n" });
  });
});

function withoutTiming(report: Readonly<Record<string, unknown>>): object {
  const { seconds: _1, loadSeconds: _2, candlesPerSecond: _3, ...figures } = report;
  return figures;
}
