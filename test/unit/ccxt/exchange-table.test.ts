/** The exchange table: what follows from it, and that the document shows it. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EXCHANGE_COLUMNS } from "../../../src/cli/exchanges-command.ts";
import type { ExchangeFacts } from "../../../src/exchange/ccxt/exchange-table.ts";
import {
  CLIENT_ID_LENGTH,
  EXCHANGES,
  findExchange,
  refusalOf,
  safetyClassOf,
} from "../../../src/exchange/ccxt/exchange-table.ts";
import { parseConfig } from "../../../src/config/load-config.ts";
import { botCode } from "../../../src/domain/ids.ts";
import type { Generation, SlotNumber } from "../../../src/domain/ids.ts";
import { encodeClientOrderId } from "../../../src/strategy/client-order-id.ts";

const SAFE: ExchangeFacts = {
  id: "one",
  clientIds: "among open",
  maxIdLength: 32,
  idCharset: "letters and digits",
  requestWindow: { carrier: "deadline", checked: "matching" },
  settleMs: 2_000,
  deadManSwitch: undefined,
  isSpoken: true,
};

describe("the exchange table", () => {
  it("is the table of docs/exchanges.md, row for row", () => {
    const rows = [...readFileSync("docs/exchanges.md", "utf8").matchAll(/^\| (.+) \|$/gm)]
      .map(([, row = ""]) => row.split(" | "))
      .filter((cells) => cells.length === Object.keys(EXCHANGE_COLUMNS).length);
    const expected = EXCHANGES.map((exchange) =>
      Object.values(EXCHANGE_COLUMNS).map((column) => column(exchange)),
    );

    expect(rows[0]).toEqual(Object.keys(EXCHANGE_COLUMNS));
    expect(rows.slice(1)).toEqual(expected);
  });

  it("stands beside an example of a config that loads", () => {
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(readFileSync("docs/exchanges.md", "utf8")) ?? [];
    const trading =
      "trading: { symbols: [{ symbol: BTC/USDT, lower: 1, upper: 2, grids: 1, investment: 9 }] }";

    expect(parseConfig(`${example}${trading}`, "c").config.exchanges.binance?.mode).toBe("live");
  });

  it("knows the length of our client ids", () => {
    const id = encodeClientOrderId(botCode("0".repeat(10)), 1 as SlotNumber, "buy", 1 as Generation);

    expect(id).toHaveLength(CLIENT_ID_LENGTH);
    expect(id).toMatch(/^[0-9a-z]+$/i);
  });

  it("puts ids that are unique for ever into class 1, and bounded requests with ids unique among open into class 2", () => {
    expect(safetyClassOf({ ...SAFE, clientIds: "for ever", requestWindow: undefined })).toBe(1);
    expect(safetyClassOf(SAFE)).toBe(2);
    expect(safetyClassOf({ ...SAFE, requestWindow: undefined })).toBe(3);
    expect(safetyClassOf({ ...SAFE, clientIds: "none" })).toBe(3);
  });

  it("lets orders go to Binance alone, and refuses every other exchange with a sentence about it", () => {
    const refused = EXCHANGES.filter((exchange) => refusalOf(exchange) !== undefined);

    expect(refusalOf(SAFE)).toBeUndefined();
    expect(EXCHANGES.filter((exchange) => !refused.includes(exchange)).map(({ id }) => id)).toEqual([
      "binance",
    ]);
    for (const exchange of refused) expect(refusalOf(exchange)).toMatch(new RegExp(`^${exchange.id} \\w`));
  });

  it("refuses an exchange for the first thing that cannot be made safe", () => {
    expect(refusalOf({ ...SAFE, clientIds: "none" })).toContain("does not promise to refuse");
    expect(refusalOf({ ...SAFE, requestWindow: undefined })).toContain("never expire");
    expect(refusalOf({ ...SAFE, maxIdLength: CLIENT_ID_LENGTH - 1 })).toContain("at most 24 characters");
    expect(refusalOf({ ...SAFE, idCharset: "hex" })).toContain("hexadecimal");
    expect(refusalOf({ ...SAFE, isSpoken: false })).toContain("no tested table of its refusals");
  });

  it("finds exchanges by ccxt's id", () => {
    expect(findExchange("okx")?.requestWindow?.carrier).toBe("expTime");
    expect(findExchange("nowhere")).toBeUndefined();
  });
});
