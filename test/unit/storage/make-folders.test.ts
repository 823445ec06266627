/** Folders that commands write into: made where they can be, and refused at once where they cannot. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeExport } from "../../../src/backtest/write-export.ts";
import { openJournal } from "../../../src/exchange/sim/journal.ts";
import { makeFolders } from "../../../src/storage/make-folders.ts";
import { CandleFolder } from "../../../src/backtest/history/candle-store.ts";
import { parseTimeframe } from "../../../src/backtest/history/timeframe.ts";
import { instant } from "../../../src/domain/ids.ts";
import { openSpool } from "../../../src/storage/spool.ts";
import { VenueStore } from "../../../src/venue/server/venue-store.ts";

describe("makeFolders", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-folders-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("makes all that is missing, and passes over what is there", () => {
    const deep = join(folder, "a", "b", "c");

    makeFolders(deep);
    makeFolders(deep);

    expect(statSync(deep).isDirectory()).toBe(true);
  });

  it.each([
    ["below /proc, where Node's own way never ends", () => "/proc/quantmesh/a/b", "ENOENT"],
    ["below a file", () => join(folder, "file", "a"), /ENOTDIR|EEXIST/],
    ["where a file is", () => join(folder, "file"), "EEXIST"],
  ])("throws what Node says %s", (_, pathOf, says) => {
    writeFileSync(join(folder, "file"), "");

    expect(() => makeFolders(pathOf())).toThrow(says);
  });
});

/** What a user names, where no folder can be made: each must come back with what to change. */
const NOWHERE = "/proc/quantmesh/a";
const SERIES = { exchange: "binance", symbol: "BTC/USDT", timeframe: parseTimeframe("1m") };

describe("a folder that cannot be made", () => {
  it.each([
    [
      "of an export",
      async () => writeExport(NOWHERE, []),
      /^cannot export to \/proc\/quantmesh\/a: ENOENT.*; name a folder that this user may write to$/,
    ],
    [
      "of candles",
      async () => new CandleFolder(NOWHERE, SERIES).prepare(),
      /^--datadir: cannot write to \/proc\/quantmesh\/a\/.*: ENOENT.*; name a folder that this user may write to$/,
    ],
    [
      "of a venue's journal",
      async () => VenueStore.open(NOWHERE, "{}"),
      /^cannot write the venue's folder \/proc\/quantmesh\/a; set another one$/,
    ],
    [
      "of the simulated market's journal",
      async () => openJournal(`${NOWHERE}/b`, "main", {}, instant(0)),
      /^cannot open \/proc\/quantmesh\/a\/b, .*; set a path that can be written$/,
    ],
    [
      "of a spool",
      async () => openSpool({ file: `${NOWHERE}/b`, capacity: 1, now: () => 0 }),
      /^storage \/proc\/quantmesh\/a\/b: ENOENT.*; choose a file in a folder that this user may write to/,
    ],
  ])("%s is refused with the remedy", async (_, open, says) => {
    await expect(open()).rejects.toThrow(says);
  });
});
