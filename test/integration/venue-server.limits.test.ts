/** Request weights, order counts, bans and address lists, as Binance counts and words them. */
import { afterEach, describe, expect, it } from "vitest";
import type { Answer } from "../support/venue-client.ts";
import { callRaw, callSigned, placeLimit } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const LIMITS = {
  weight_per_minute: "100",
  orders_per_10_seconds: "5",
  orders_per_day: "12",
  ban_ms: "60000",
};

let venue: VenueProcess | undefined;

afterEach(async () => {
  await venue?.server.stop();
  venue = undefined;
});

describe("limits", () => {
  it("counts the weight of each route, and answers 429, then 418, to who does not stop", async () => {
    venue = await startVenueProcess({ limits: LIMITS });
    const { url, admin } = venue;
    const used = async (path: string): Promise<number> =>
      Number((await callRaw({ url }, "GET", path)).headers["x-mbx-used-weight-1m"]);
    // Another minute may begin in between: then the count begins anew.
    await expectSoon(async () => (await used("/api/v3/exchangeInfo")) - (await used("/api/v3/ping")) === -1);
    const tooMany = await until({ url }, 429);
    expect(tooMany.json).toMatchObject({
      code: -1003,
      msg: expect.stringContaining("100 request weight") as string,
    });
    expect(Number(tooMany.headers["retry-after"])).toBeGreaterThan(0);
    const banned = await until({ url }, 418);
    expect(banned.json).toMatchObject({
      code: -1003,
      msg: expect.stringContaining("IP banned until") as string,
    });
    expect(Number(banned.headers["retry-after"])).toBeGreaterThan(50);
    // Everything of this address is shut out; time heals it.
    expect((await placeLimit({ url }, "banned", "BUY", "50000", "0.001")).status).toBe(418);
    await admin.setClockOffset(61_000);
    expect((await callRaw({ url }, "GET", "/api/v3/ping")).status).toBe(200);
  });

  it("counts the orders of an account, and refuses more with 429 and -1015", async () => {
    venue = await startVenueProcess({ limits: { ...LIMITS, weight_per_minute: "1000000" } });
    const { url, admin } = venue;
    const tooMany = await lastOf(
      async (number) => placeLimit({ url }, `o${number}`, "BUY", "50000", "0.001"),
      30,
    );
    expect([tooMany.status, tooMany.json]).toMatchObject([429, { code: -1015 }]);
    expect(tooMany.headers).not.toHaveProperty("retry-after");
    const counted = await callSigned({ url }, "GET", "/api/v3/rateLimit/order");
    expect(counted.json).toMatchObject([
      { interval: "SECOND", intervalNum: 10, limit: 5 },
      { interval: "DAY", limit: 12 },
    ]);
    await admin.setClockOffset(11_000);
    const next = await placeLimit({ url }, "next", "BUY", "50000", "0.001", {
      timestamp: Date.now() + 11_000,
    });
    expect(next.status, next.text).toBe(200);
    expect(next.headers["x-mbx-order-count-10s"]).toBe("1");
    expect(Number(next.headers["x-mbx-order-count-1d"])).toBeGreaterThan(5);
    // Other accounts have counts of their own.
    const other = { apiKey: "other-key-0001", secret: "other-secret-0001" };
    const theirs = { timestamp: Date.now() + 11_000 };
    const placed = await placeLimit({ url }, "theirs", "BUY", "50000", "0.001", theirs, other);
    expect(placed.headers["x-mbx-order-count-1d"]).toBe("1");
  });

  it("refuses a key from an address that is not on its list", async () => {
    const key = (api_key: string, ip: string) => ({
      api_key,
      secret_key: VENUE_KEY.secret,
      account: "main",
      permissions: ["read", "trade"],
      allowed_ips: [ip],
    });
    venue = await startVenueProcess({
      keys_list: [key("here-0001", "127.0.0.1"), key("there-0001", "203.0.113.9")],
    });
    const { url } = venue;
    const account = async (apiKey: string): Promise<Answer> =>
      callSigned({ url }, "GET", "/api/v3/account", {}, { apiKey, secret: VENUE_KEY.secret });
    expect((await account("here-0001")).status).toBe(200);
    expect(await account("there-0001")).toMatchObject({ status: 401, json: { code: -2015 } });
  });
});

/** Asks until the answer has this status. */
async function until({ url }: Pick<VenueProcess, "url">, status: number): Promise<Answer> {
  for (let count = 0; count < 400; count += 1) {
    const answer = await callRaw({ url }, "GET", "/api/v3/ping");
    if (answer.status === status) return answer;
  }
  throw new Error(`no answer had status ${status}`);
}

/** The first answer that is not 200. */
async function lastOf(send: (number: number) => Promise<Answer>, most: number): Promise<Answer> {
  for (let number = 0; number < most; number += 1) {
    const answer = await send(number);
    if (answer.status !== 200) return answer;
  }
  throw new Error(`all of ${most} were accepted`);
}

async function expectSoon(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt += 1) if (await holds()) return;
  expect(await holds()).toBe(true);
}
