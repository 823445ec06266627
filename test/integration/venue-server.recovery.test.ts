/** A venue that is killed at a random moment comes back as if nothing had happened. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { readVenueAudit } from "../../src/venue/server/read-audit.ts";
import { freshSeed, scaled, seededRandom } from "../support/scale.ts";
import { callSigned, placeLimit } from "../support/venue-client.ts";
import type { VenueAdmin, VenueProcess } from "../support/venue-process.ts";
import { startVenueProcess } from "../support/venue-process.ts";

const CLIENTS = 8;
const LIVES = scaled(40);
const CROWD = { users: "3", orders_per_point: "3", life_points: "10", max_quantity: "100000" };
const RICH = { main: { USDT: "100000000", BTC: "1000" }, other: { USDT: "1000" } };

let venue: VenueProcess | undefined;

afterEach(async () => {
  await venue?.server.stop();
  venue = undefined;
});

describe("a venue killed at a random moment", () => {
  it("keeps every order and cancel that it answered, its book, balances and trade ids", async () => {
    const seed = freshSeed();
    console.log(`seed ${seed}`);
    const random = seededRandom(seed);
    venue = await startVenueProcess({ crowd: CROWD, accounts: RICH, snapshot_every: "40" });
    const { server, admin, journal } = venue;
    const answered = new Map<string, { readonly id: string; canceled: boolean }>();
    let number = 0;
    for (let life = 0; life < LIVES; life += 1) {
      const clients = Array.from({ length: CLIENTS }, () =>
        trade(venue as VenueProcess, random, answered, () => (number += 1)),
      );
      const moving = moveAbout(admin, random);
      await pause(100 + random() * 400);
      // However slow the machine is, each life has something to keep, and one of them a snapshot.
      const isLast = life === LIVES - 1;
      while (answered.size < (life + 1) * 20 || (isLast && snapshotsIn(journal).length === 0))
        await pause(10);
      await server.crash();
      await Promise.all([...clients, moving]);
      await server.restart();
      await expectKept(venue, answered);
      const state = await admin.state();
      await server.restart();
      expect(await admin.state()).toBe(state);
    }
    const state = await admin.state();
    const snapshots = snapshotsIn(journal);
    expect(snapshots.length).toBeGreaterThan(0);
    for (const name of snapshots) rmSync(join(journal, name));
    await server.restart();
    expect(await admin.state()).toBe(state);
    expect(readVenueAudit(journal).fills.length).toBeGreaterThan(0);
  }, 1_200_000);
});

function snapshotsIn(journal: string): readonly string[] {
  return readdirSync(journal).filter((name) => /^snapshot-\d+\.jsonl$/.test(name));
}

/** Places and cancels until the venue does not answer any more; notes only what was answered. */
async function trade(
  { url }: VenueProcess,
  random: () => number,
  answered: Map<string, { readonly id: string; canceled: boolean }>,
  nextNumber: () => number,
): Promise<void> {
  try {
    for (;;) {
      const name = `k${nextNumber()}`;
      const isBuy = random() < 0.5;
      const price = (60_000 + (isBuy ? -1 : 1) * (random() * 0.4 - 0.1)).toFixed(2);
      const placed = await placeLimit({ url }, name, isBuy ? "BUY" : "SELL", price, "0.001");
      expect(placed.status, placed.text).toBe(200);
      const { orderId } = placed.json as { readonly orderId: number };
      const order = { id: String(orderId), canceled: false };
      answered.set(name, order);
      if (random() < 0.7) continue;
      const canceled = await callSigned({ url }, "DELETE", "/api/v3/order", { symbol: "BTCUSDT", orderId });
      if (canceled.status === 200) order.canceled = true;
    }
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
  }
}

/** Moves the price until the venue does not answer any more. */
async function moveAbout(admin: VenueAdmin, random: () => number): Promise<void> {
  try {
    for (;;) await admin.move("BTC/USDT", (60_000 + random() * 0.4 - 0.2).toFixed(2));
  } catch (error) {
    // fetch says no more than this of a connection that broke.
    if (!(error instanceof TypeError)) throw error;
  }
}

async function expectKept(
  { journal, url }: VenueProcess,
  answered: ReadonlyMap<string, { readonly id: string; readonly canceled: boolean }>,
): Promise<void> {
  const { orders, fills } = readVenueAudit(journal);
  const byName = new Map(orders.map((order) => [String(order.id), order]));
  for (const [name, { id, canceled }] of answered) {
    expect(byName.get(name)?.exchangeOrderId, name).toBe(id);
    if (canceled) expect(byName.get(name)?.status, name).toBe("canceled");
  }
  expect(new Set(orders.map(({ exchangeOrderId }) => exchangeOrderId)).size).toBe(orders.length);
  const tradeIds = fills.map(({ tradeId, liquidity }) => `${tradeId} ${liquidity}`);
  expect(new Set(tradeIds).size).toBe(tradeIds.length);
  const open = await callSigned({ url }, "GET", "/api/v3/openOrders", { symbol: "BTCUSDT" });
  expect(open.status).toBe(200);
  for (const { orderId } of open.json as readonly { readonly orderId: number }[]) {
    expect(orders.find(({ exchangeOrderId }) => exchangeOrderId === String(orderId))?.status).not.toBe(
      "canceled",
    );
  }
}
