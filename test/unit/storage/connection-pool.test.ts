/** Who gets a connection, and who waits for one. */
import { describe, expect, it } from "vitest";
import { ConnectionPool } from "../../../src/storage/connection-pool.ts";
import type { ServerConnection } from "../../../src/storage/connection-pool.ts";

const LIMIT_MS = 5000;
const SOON_MS = 20;

function poolOf(
  maxOpen: number,
  connect = async (): Promise<ServerConnection> => connection(),
): ConnectionPool {
  return new ConnectionPool(connect, { maxOpen, maxIdle: 10, maxLifetimeMs: 60_000 });
}

function connection(): ServerConnection {
  return {
    server: "one",
    isLost: false,
    execute: async () => ({ rows: [], affected: 0 }),
    destroy: () => undefined,
  };
}

describe("a pool of connections", () => {
  it("keeps one beyond its limit for what is urgent, and for nothing else", async () => {
    const pool = poolOf(2);
    await pool.acquire(LIMIT_MS);
    const second = await pool.acquire(LIMIT_MS);
    const urgent = await pool.acquire(LIMIT_MS, "urgent");
    pool.release(urgent);

    await expect(pool.acquire(SOON_MS)).rejects.toThrow("within the limit of 2");
    await expect(pool.acquire(LIMIT_MS, "urgent")).resolves.toBe(urgent);

    const waiting = pool.acquire(LIMIT_MS);
    pool.release(second);
    pool.release(urgent);
    await expect(waiting).resolves.toBeDefined();
  });

  it("lends what becomes free to what is urgent first", async () => {
    const pool = poolOf(1);
    const first = await pool.acquire(LIMIT_MS);
    const kept = await pool.acquire(LIMIT_MS, "urgent");
    const order: string[] = [];
    const ordinary = pool.acquire(LIMIT_MS).then((lent) => {
      order.push("ordinary");
      return lent;
    });
    const urgent = pool.acquire(LIMIT_MS, "urgent").then((lent) => {
      order.push("urgent");
      return lent;
    });

    pool.release(first);
    pool.release(await urgent);
    pool.release(kept);
    await ordinary;

    expect(order).toEqual(["urgent", "ordinary"]);
  });

  it("lets the next one try where one could not be opened", async () => {
    let isDown = true;
    let refuse: () => void = () => undefined;
    const pool = poolOf(1, async () => {
      if (!isDown) return connection();
      await new Promise<void>((resolve) => (refuse = resolve));
      throw new Error("refused");
    });
    const first = pool.acquire(LIMIT_MS);
    const second = pool.acquire(LIMIT_MS);

    isDown = false;
    refuse();

    await expect(first).rejects.toThrow("refused");
    await expect(second).resolves.toMatchObject({ server: "one" });
  });
});
