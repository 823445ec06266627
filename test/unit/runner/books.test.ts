/** The books go on without their database: facts to the spool, nothing twice, and an alarm before there is no room. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { QuantmeshError } from "../../../src/domain/errors.ts";
import type { Fill } from "../../../src/domain/fill.ts";
import type { StoreRecord } from "../../../src/domain/records.ts";
import { Books } from "../../../src/runner/books.ts";
import { openSpool } from "../../../src/storage/spool.ts";
import type { FillSpool, Storage } from "../../../src/storage/storage.ts";
import { sampleBot, sampleFill, sampleIntent, sampleTerms } from "../../contract/storage-samples.ts";
import type { KeptLine } from "../../support/kept-log.ts";
import { logInto } from "../../support/kept-log.ts";
import { override } from "../../support/override.ts";

const BOT = sampleBot();
const CLAIM = { market: BOT.market, epoch: 1, token: "t", holder: "me" };
const fill = (id: string): Fill => sampleFill(sampleTerms(BOT, 1), id);
const recordsOf = (...ids: string[]): readonly StoreRecord[] => [
  { kind: "mode", mode: "paused", reason: "by hand" },
  ...ids.map((id) => ({ kind: "fill" as const, fill: fill(id) })),
];

describe("books whose database is away", () => {
  let spool: FillSpool;
  let log: KeptLine[];
  let isAway: boolean;
  let calls: number;
  let left: number;
  let books: Books;
  beforeEach(() => {
    spool = openSpool({ file: ":memory:", capacity: 10, now: () => 0 });
    [log, isAway, calls, left] = [[], false, 0, 0];
    const ask = async <Answer>(answer: Answer): Promise<Answer> => {
      calls += 1;
      if (isAway) throw new QuantmeshError("STORAGE_UNAVAILABLE", "away");
      return answer;
    };
    const storage = override({} as Storage, {
      commit: () => ask("stored" as const),
      insertIntent: () => ask("stored" as const),
      unstoredFills: (_bot, executions) => ask(executions.filter(({ tradeId }) => tradeId !== "listed")),
      saveFillCursor: () => ask("stored" as const),
      deliveredFills: () => ask([fill("delivered")]),
    });
    books = new Books({
      storage,
      spool,
      log: logInto(log),
      bot: BOT,
      claim: CLAIM,
      onAway: () => (left += 1),
    });
  });
  afterEach(() => spool.close());

  it("void the step that finds it away, and keep the fills of the next in the spool, nothing else", async () => {
    isAway = true;
    expect(await books.commit(recordsOf("1"))).toBe("away");
    expect(spool.depth).toBe(0);
    expect(await books.commit(recordsOf("1"))).toBe("stored");
    expect(await books.commit(recordsOf())).toBe("stored");
    expect(spool.oldest(9)).toEqual([{ market: BOT.market, code: BOT.code, fill: fill("1") }]);
    expect(left).toBe(1);
  });

  it("do not ask it again, even where it would answer: what it has of the last write is unknown", async () => {
    isAway = true;
    await books.commit(recordsOf("1"));
    isAway = false;
    const before = calls;

    expect(await books.insertIntent(sampleIntent(BOT, 1))).toBe("away");
    expect(await books.saveFillCursor("7")).toBe("away");
    expect(await books.deliveredFills()).toEqual([]);
    expect(await books.commit(recordsOf("1"))).toBe("stored");
    expect(calls).toBe(before);
  });

  it("know what was stored before, what a list showed to be stored, and what the spool has", async () => {
    await books.commit(recordsOf("before"));
    await books.unstoredFills([fill("listed"), fill("new")]);
    isAway = true;
    await books.commit(recordsOf("1"));
    await books.commit(recordsOf("1"));

    const all = ["before", "listed", "1", "new"].map(fill);
    expect(await books.unstoredFills(all)).toEqual([fill("new")]);
    for (const known of ["before", "listed", "1"])
      expect(await books.commit(recordsOf("new", known))).toBe("duplicate");
    expect(spool.depth).toBe(1);
  });

  it("raise the alarm once when the spool is nearly full and once when it is full", async () => {
    isAway = true;
    await books.commit(recordsOf("0"));
    const outcomes: string[] = [];
    for (let id = 0; id < 12; id += 1) outcomes.push(await books.commit(recordsOf(String(id))));

    expect(outcomes).toEqual([...Array<string>(10).fill("stored"), "full", "full"]);
    const alarms = log.filter(({ event }) => event.startsWith("spool."));
    expect(alarms.map(({ event, fields }) => [event, fields["depth"]])).toEqual([
      ["spool.nearly_full", 8],
      ["spool.full", 10],
    ]);
  });
});
