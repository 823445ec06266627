/** Request weights, order counts, bans and address lists, as Binance counts and words them. */
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { readVenueAudit } from "../../src/venue/server/read-audit.ts";
import type { Answer, Signer } from "../support/venue-client.ts";
import { callRaw, callSigned, placeLimit, signatureOf } from "../support/venue-client.ts";
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

  it("refuses a key from an address that is not on its list, whatever it asks and wherever", async () => {
    const key = (api_key: string, ...allowed_ips: readonly string[]) => ({
      api_key,
      secret_key: VENUE_KEY.secret,
      account: "main",
      permissions: ["read", "trade"],
      allowed_ips,
    });
    venue = await startVenueProcess({
      keys_list: [
        key("here-0001", "127.0.0.1"),
        key("near-0001", "2001:db8::/32", "127.0.0.0/8"),
        key("there-0001", "203.0.113.9", "10.0.0.0/8", "::1"),
      ],
    });
    const { url, wsUrl, journal } = venue;
    const signer = (apiKey: string) => ({ apiKey, secret: VENUE_KEY.secret });
    const account = async (apiKey: string): Promise<Answer> =>
      callSigned({ url }, "GET", "/api/v3/account", {}, signer(apiKey));
    expect((await account("here-0001")).status).toBe(200);
    expect((await account("near-0001")).status).toBe(200);
    expect(await account("there-0001")).toMatchObject({ status: 401, json: { code: -2015 } });
    const foreign = signer("there-0001");
    const placed = await placeLimit({ url }, "foreign", "BUY", "50000", "0.001", {}, foreign);
    expect(placed).toMatchObject({ status: 401, json: { code: -2015 } });
    const canceled = await callSigned(
      { url },
      "DELETE",
      "/api/v3/openOrders",
      { symbol: "BTCUSDT" },
      foreign,
    );
    expect(canceled).toMatchObject({ status: 401, json: { code: -2015 } });
    expect(await subscribe(wsUrl, foreign)).toMatchObject({ status: 401, error: { code: -2015 } });
    expect(await subscribe(wsUrl, signer("near-0001"))).toMatchObject({ status: 200 });
    expect(readVenueAudit(journal).orders).toEqual([]);
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

/** What the WebSocket API answers to who wants to hear of the account's orders. */
async function subscribe(wsUrl: string, { apiKey, secret }: Signer): Promise<unknown> {
  const payload = `apiKey=${apiKey}&timestamp=${Date.now()}`;
  const params = Object.fromEntries(new URLSearchParams(payload));
  const signature = signatureOf(payload, { apiKey, secret });
  const method = "userDataStream.subscribe.signature";
  const socket = new WebSocket(`${wsUrl}/ws-api/v3`);
  socket.on("open", () => socket.send(JSON.stringify({ id: "1", method, params: { ...params, signature } })));
  try {
    const [data] = (await once(socket, "message")) as [Buffer];
    return JSON.parse(data.toString());
  } finally {
    socket.terminate();
  }
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
