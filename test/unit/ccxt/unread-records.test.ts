/** What a stream told, read as ccxt reads it: so many of the last as the cache says. */
import { expect, it } from "vitest";
import type { CcxtRecord } from "../../../src/exchange/ccxt/ccxt-client.ts";
import { UnreadRecords } from "../../../src/exchange/ccxt/unread-records.ts";

function read(records: UnreadRecords): readonly CcxtRecord[] {
  return records.slice(-records.getLimit());
}

it("is read once and in order, each state of an order for itself", () => {
  const records = new UnreadRecords();
  expect([...read(records)]).toEqual([]);
  const states = ["open", "open", "closed"].map((status, index) => ({
    id: "1",
    status,
    filled: String(index),
  }));

  for (const state of states.slice(0, 2)) records.append(state);
  expect([...read(records)]).toEqual(states.slice(0, 2));

  for (const state of states.slice(2)) records.append(state);
  expect([...read(records)]).toEqual(states.slice(2));
  expect([...read(records)]).toEqual([]);
});

it("keeps nothing that was read", () => {
  const records = new UnreadRecords();
  for (let id = 0; id < 1000; id += 1) {
    records.append({ id: String(id) });
    read(records);
  }
  records.append({ id: "last" });

  expect(records).toHaveLength(1);
});
