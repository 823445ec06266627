/** The spool keeps each fill once, in order, across a crash, and takes no more than it may. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseMoney, priceTicks, quantityLots } from "../../../src/domain/amounts.ts";
import type { BotCode, ClientOrderId } from "../../../src/domain/ids.ts";
import { instant } from "../../../src/domain/ids.ts";
import { openSpool } from "../../../src/storage/spool.ts";
import type { FillSpool, SpooledFill } from "../../../src/storage/storage.ts";

const MARKET = { exchange: "sim", account: "main", symbol: "BTC/USDT" };
let folder: string;
let now = 1_000;
const opened: FillSpool[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-spool-"));
});
afterEach(() => {
  for (const spool of opened.splice(0)) spool.close();
  rmSync(folder, { recursive: true });
});

it("gives back every fill to the last digit, in the order of keeping, after it was opened again", () => {
  const fills = [
    fillOf("9", "buy"),
    fillOf("10", "sell"),
    fillOf("8", "buy", "123456789012345678.000000000000000001"),
  ];
  expect(open().add(fills)).toBe("stored");
  opened.pop()?.close();

  const again = open();

  expect(again.oldest(10)).toEqual(fills);
  expect(again.oldest(2)).toEqual(fills.slice(0, 2));
  expect(again.depth).toBe(3);
});

it("keeps nothing of a group of which one fill is there already", () => {
  const spool = open();
  spool.add([fillOf("1", "buy")]);

  expect(spool.add([fillOf("2", "buy"), fillOf("1", "buy")])).toBe("duplicate");
  expect(spool.add([fillOf("1", "sell")])).toBe("stored");

  expect(spool.oldest(10)).toEqual([fillOf("1", "buy"), fillOf("1", "sell")]);
  expect(spool.has(MARKET, fillOf("1", "sell").fill)).toBe(true);
  expect(spool.has(MARKET, fillOf("2", "buy").fill)).toBe(false);
  expect(spool.has({ ...MARKET, symbol: "ETH/USDT" }, fillOf("1", "buy").fill)).toBe(false);
});

it("takes nothing beyond its capacity, and more once something was removed", () => {
  const spool = open(2);
  spool.add([fillOf("1", "buy"), fillOf("2", "buy")]);

  expect(spool.add([fillOf("3", "buy")])).toBe("full");
  spool.remove([fillOf("1", "buy")]);
  expect(spool.add([fillOf("3", "buy")])).toBe("stored");

  expect(spool.oldest(10)).toEqual([fillOf("2", "buy"), fillOf("3", "buy")]);
  expect(spool.depth).toBe(2);
});

it("tells since when its oldest fill waits", () => {
  const spool = open();
  expect(spool.oldestAt).toBe(undefined);
  now = 5_000;
  spool.add([fillOf("1", "buy")]);
  now = 6_000;
  spool.add([fillOf("2", "buy")]);
  expect(spool.oldestAt).toBe(5_000);
  spool.remove([fillOf("1", "buy")]);
  expect(spool.oldestAt).toBe(6_000);
});

it("is full where the disk takes no more, and loses nothing that it has", () => {
  const spool = open();
  spool.add([fillOf("1", "buy")]);
  const writer = new Database(file());
  writer.exec("begin immediate");
  // Somebody else writes: to SQLite a disk that cannot be written to now.
  expect(spool.add([fillOf("2", "buy")])).toBe("full");
  writer.exec("rollback");
  writer.close();

  expect(spool.add([fillOf("2", "buy")])).toBe("stored");
  expect(spool.oldest(10)).toEqual([fillOf("1", "buy"), fillOf("2", "buy")]);
});

it("says that it is away, and keeps what it has, where the disk does not take a removal now", () => {
  const spool = open();
  spool.add([fillOf("1", "buy")]);
  const writer = new Database(file());
  writer.exec("begin immediate");
  expect(() => spool.remove([fillOf("1", "buy")])).toThrow(
    expect.objectContaining({ code: "STORAGE_UNAVAILABLE" }),
  );
  writer.exec("rollback");
  writer.close();

  expect(spool.depth).toBe(1);
  spool.remove([fillOf("1", "buy")]);
  expect(spool.oldest(10)).toEqual([]);
});

it("names the file that it cannot open", () => {
  expect(() => openSpool({ file: folder, capacity: 1, now: () => 0 })).toThrow(folder);
});

function open(capacity = 100): FillSpool {
  const spool = openSpool({ file: file(), capacity, now: () => now });
  opened.push(spool);
  return spool;
}

function file(): string {
  return join(folder, "deep", "spool.db");
}

function fillOf(tradeId: string, side: "buy" | "sell", fee = "0.1"): SpooledFill {
  const fill = {
    tradeId,
    exchangeOrderId: `x${tradeId}`,
    side,
    price: priceTicks(Number.MAX_SAFE_INTEGER),
    quantity: quantityLots(17),
    fee: parseMoney(fee),
    feeAsset: "USDT",
    liquidity: "maker" as const,
    at: instant(1_700_000_000_123),
    id: `qm${tradeId}` as ClientOrderId,
  };
  return { market: MARKET, code: "bot0000001" as BotCode, fill };
}
