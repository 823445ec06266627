/** What the venue refuses, and in which words: Binance's codes, whatever is thrown at it. */
import { createConnection } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { readVenueAudit } from "../../src/venue/server/read-audit.ts";
import type { Fields } from "../support/venue-client.ts";
import { callRaw, callSigned, placeLimit, queryOf, signatureOf } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { READ_ONLY_KEY, VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const ORDER = "/api/v3/order";
const HEADERS = { "X-MBX-APIKEY": VENUE_KEY.apiKey, "Content-Type": "application/x-www-form-urlencoded" };
const LIMIT: Fields = {
  symbol: "BTCUSDT",
  side: "BUY",
  type: "LIMIT",
  timeInForce: "GTC",
  price: "50000",
  quantity: "0.001",
};

const NONSENSE: readonly (readonly [what: string, fields: Fields, code: number, message?: RegExp])[] = [
  ["no symbol", { symbol: "" }, -1102, /'symbol'/],
  ["an unknown symbol", { symbol: "ABCUSDT" }, -1121],
  ["illegal characters in the symbol", { symbol: "BTC/USDT" }, -1100],
  ["no side", { side: "HOLD" }, -1117],
  ["no type", { type: "SOON" }, -1116],
  ["a type that is not served", { type: "STOP_LOSS" }, -1013, /Stop loss orders are not supported/],
  ["no time in force", { timeInForce: "GTD" }, -1115],
  ["a quantity that is no number", { quantity: "1e-3" }, -1100],
  ["a negative quantity", { quantity: "-1" }, -1100],
  ["no quantity", { quantity: "0" }, -1013, /LOT_SIZE/],
  ["a quantity off the step", { quantity: "0.000015" }, -1013, /LOT_SIZE/],
  ["a quantity without end", { quantity: "99999999999999999999" }, -1013, /LOT_SIZE/],
  ["a price off the tick", { price: "50000.001" }, -1013, /PRICE_FILTER/],
  ["a price of nothing", { price: "0" }, -1013, /PRICE_FILTER/],
  ["too many decimals", { price: "50000.123456789" }, -1111, /'price'/],
  ["too little value", { quantity: "0.00001" }, -1013, /NOTIONAL/],
  ["more than the account has", { quantity: "100" }, -2010, /insufficient balance/],
  ["a client id with blanks", { newClientOrderId: "a b" }, -1100, /'newClientOrderId'/],
  ["a client id that is too long", { newClientOrderId: "x".repeat(37) }, -1100],
  ["a post-only order with a time in force", { type: "LIMIT_MAKER" }, -1106],
  ["a market order with a price", { type: "MARKET" }, -1106],
  ["an unknown response type", { newOrderRespType: "LOUD" }, -1136],
];

let venue: VenueProcess;

beforeAll(async () => {
  venue = await startVenueProcess({ refuse_replays: "false" });
});

afterAll(async () => {
  await venue.server.stop();
});

describe("requests that prove nothing about their sender", () => {
  it("refuses a wrong signature with -1022, and does nothing", async () => {
    const query = queryOf({ ...LIMIT, newClientOrderId: "forged" });
    const body = `${query}&signature=${signatureOf(`${query}x`, VENUE_KEY)}`;
    await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, body), 400, -1022);
    await expectRefused(find("forged"), 400, -2013);
  });

  it("refuses signatures that are no signature, or belong to a changed request", async () => {
    const query = queryOf(LIMIT);
    const right = signatureOf(query, VENUE_KEY);
    for (const signature of ["zz", "0".repeat(64), right.slice(1), `${right}00`, "€".repeat(64)]) {
      const body = `${query}&signature=${encodeURIComponent(signature)}`;
      await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, body), 400, -1022);
    }
    const changed = `${query.replace("0.001", "0.002")}&signature=${right}`;
    await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, changed), 400, -1022);
    await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, query), 400, -1102, /'signature'/);
  });

  it("accepts parameters in query and body together, signed end to end", async () => {
    const [query, body] = [
      "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC",
      "quantity=0.001&price=50000",
    ];
    const stamped = `${body}&timestamp=${Date.now()}`;
    const signature = signatureOf(query + stamped, VENUE_KEY);
    const answer = await callRaw(
      venue,
      "POST",
      `${ORDER}?${query}`,
      HEADERS,
      `${stamped}&signature=${signature}`,
    );
    expect(answer.json).toMatchObject({ status: "NEW", price: "50000.00000000", origQty: "0.00100000" });
  });

  it("refuses stale and early timestamps with -1021", async () => {
    const now = Date.now();
    await expectRefused(order({ timestamp: now - 10_000 }), 400, -1021, /outside of the recvWindow/);
    await expectRefused(order({ timestamp: now - 3_000, recvWindow: 1_000 }), 400, -1021);
    await expectRefused(order({ timestamp: Date.now() + 30_000 }), 400, -1021, /ahead of the server/);
    await expectRefused(order({ recvWindow: 60_001 }), 400, -1131);
    await expectRefused(order({ timestamp: "soon" }), 400, -1100, /'timestamp'/);
  });

  it("refuses a request that was held up on its way to the matcher with -1021", async () => {
    await venue.admin.faults([
      { kind: "delayed_request", route: `POST ${ORDER}`, delay_ms: 1_500, times: 1 },
    ]);
    await expectRefused(order({ newClientOrderId: "held", recvWindow: 1_000 }), 400, -1021);
    await venue.admin.faults([]);
    await expectRefused(find("held"), 400, -2013);
  });

  it("refuses a replayed request while its order is open, and once its time is over", async () => {
    const query = queryOf({ ...LIMIT, newClientOrderId: "replayed", recvWindow: 4_500 });
    const body = `${query}&signature=${signatureOf(query, VENUE_KEY)}`;
    expect((await callRaw(venue, "POST", ORDER, HEADERS, body)).status).toBe(200);
    await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, body), 400, -2010, /Duplicate order sent/);
    await venue.admin.setClockOffset(5_000);
    await expectRefused(callRaw(venue, "POST", ORDER, HEADERS, body), 400, -1021);
    await venue.admin.setClockOffset(0);
  });

  it("refuses unknown keys, keys in the wrong form, and keys that may not do this", async () => {
    await expectRefused(order({}, { apiKey: "nobodys-key", secret: "x" }), 401, -2015);
    await expectRefused(order({}, { apiKey: "two words", secret: "x" }), 401, -2014);
    await expectRefused(callRaw(venue, "GET", "/api/v3/account?timestamp=1&signature=1"), 401, -2014);
    await expectRefused(order({ newClientOrderId: "reader" }, READ_ONLY_KEY), 401, -2015);
    expect((await callSigned(venue, "GET", "/api/v3/account", {}, READ_ONLY_KEY)).status).toBe(200);
    const rights = await callSigned(venue, "GET", "/sapi/v1/account/apiRestrictions", {}, READ_ONLY_KEY);
    expect(rights.json).toMatchObject({
      enableReading: true,
      enableSpotAndMarginTrading: false,
      enableWithdrawals: false,
    });
  });
});

describe("requests that make no sense", () => {
  it.each(NONSENSE.map((row) => ({ what: row[0], row })))("refuses $what", async ({ row }) => {
    const [, fields, code, message] = row;
    await expectRefused(order(fields), 400, code, message);
  });

  it("refuses a post-only order that would take with -2010", async () => {
    const { timeInForce: _, ...terms } = LIMIT;
    const fields = { ...terms, type: "LIMIT_MAKER", price: "60000" };
    await expectRefused(callSigned(venue, "POST", ORDER, fields), 400, -2010, /immediately match and take/);
  });

  it("refuses to cancel or find what is not there", async () => {
    const cancel = (fields: Fields) => callSigned(venue, "DELETE", ORDER, { symbol: "BTCUSDT", ...fields });
    await expectRefused(cancel({ orderId: 999_999 }), 400, -2011, /Unknown order sent/);
    await expectRefused(cancel({ origClientOrderId: "nobody" }), 400, -2011);
    await expectRefused(cancel({}), 400, -1102);
    await expectRefused(find("nobody"), 400, -2013);
    // Another account's order is not there either.
    await placeLimit(venue, "mine", "BUY", "50000", "0.001");
    const other = { apiKey: "other-key-0001", secret: "other-secret-0001" };
    const query = { symbol: "BTCUSDT", origClientOrderId: "mine" };
    await expectRefused(callSigned(venue, "GET", ORDER, query, other), 400, -2013);
  });

  it("refuses half a percent sequence, repeated parameters and more than it reads", async () => {
    const signed = (text: string) => `${text}&signature=${signatureOf(text, VENUE_KEY)}`;
    const send = (text: string) => callRaw(venue, "POST", ORDER, HEADERS, signed(text));
    await expectRefused(send(`symbol=%E0%A4%A&timestamp=${Date.now()}`), 400, -1100);
    await expectRefused(send(`symbol=A&symbol=B&timestamp=${Date.now()}`), 400, -1101);
    const many = Array.from({ length: 100 }, (_, index) => `p${index}=1`).join("&");
    await expectRefused(send(`${many}&timestamp=${Date.now()}`), 400, -1101);
  });

  it("refuses an oversized body with 413, JSON with -1102, and other routes with 404", async () => {
    const huge = `symbol=${"A".repeat(200_000)}`;
    expect((await refusedOrClosed(callRaw(venue, "POST", ORDER, HEADERS, huge))).status).toBe(413);
    const json = { ...HEADERS, "Content-Type": "application/json" };
    await expectRefused(callRaw(venue, "POST", ORDER, json, '{"symbol":"BTCUSDT"'), 400, -1102);
    expect((await callRaw(venue, "POST", "/api/v3/nothing", HEADERS, "a=1")).status).toBe(404);
    expect((await callRaw(venue, "GET", "/../../etc/passwd")).status).toBe(404);
    expect((await callRaw(venue, "PUT", ORDER, HEADERS, "a=1")).status).toBe(404);
  });
});

describe("what is no request at all", () => {
  it("survives garbage on the port and on the streams", async () => {
    await sendBytes("\x00\x01\x02 not HTTP\r\n\r\n");
    await sendBytes(`POST ${ORDER} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nshort`);
    await sendBytes(`GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`);
    const market = await answerOf("/stream/ws/0", "{");
    expect(market).toMatchObject({ error: { code: 3 } });
    expect(
      await answerOf("/stream/ws/0", '{"method":"SUBSCRIBE","params":["nothing@trade"],"id":1}'),
    ).toMatchObject({
      error: { code: 2 },
      id: 1,
    });
    expect(await answerOf("/stream/ws/0", '{"method":"SUBSCRIBE","params":[1],"id":2}')).toHaveProperty(
      "error",
    );
    expect(await answerOf("/ws-api/v3", "[]")).toMatchObject({ status: 400, error: { code: -1135 } });
    const forged = { apiKey: VENUE_KEY.apiKey, timestamp: Date.now(), signature: "0".repeat(64) };
    const subscribe = { id: "9", method: "userDataStream.subscribe.signature", params: forged };
    expect(await answerOf("/ws-api/v3", JSON.stringify(subscribe))).toMatchObject({
      id: "9",
      status: 400,
      error: { code: -1022 },
    });
    expect((await callRaw(venue, "GET", "/api/v3/ping")).status).toBe(200);
  });

  it("lets nobody but this machine's own programs use the admin port, and says nothing of secrets", async () => {
    const status = JSON.stringify(await venue.admin.status());
    const state = await venue.admin.state();
    for (const secret of [VENUE_KEY.secret, READ_ONLY_KEY.secret])
      expect(status + state).not.toContain(secret);
    const adminUrl = { url: venue.adminUrl };
    expect((await callRaw(adminUrl, "GET", "/status", { Host: "evil.example" })).status).toBe(403);
    expect((await callRaw(adminUrl, "PUT", "/faults", {}, "[")).status).toBeGreaterThanOrEqual(400);
  });

  it("counts every refusal by its code", async () => {
    const { refusals } = await venue.admin.status();
    for (const code of [-1021, -1022, -2010, -2013, -2015, -1013])
      expect(refusals[code], `${code}`).toBeGreaterThan(0);
  });
});

describe("a venue that refuses replays, as it does unless told otherwise", () => {
  it("refuses the same signature although its order was filled meanwhile, or the venue killed", async () => {
    const strict = await startVenueProcess();
    try {
      const query = queryOf({ ...LIMIT, price: "60000", newClientOrderId: "once", recvWindow: 30_000 });
      const body = `${query}&signature=${signatureOf(query, VENUE_KEY)}`;
      const first = await callRaw(strict, "POST", ORDER, HEADERS, body);
      expect(first.json).toMatchObject({ status: "FILLED" });
      await expectRefused(callRaw(strict, "POST", ORDER, HEADERS, body), 400, -2010);
      const rests = await placeLimit(strict, "rests", "BUY", "50000", "0.001");
      const all = signed({ symbol: "BTCUSDT", timestamp: Date.now(), recvWindow: 30_000 });
      const cancelAll = () => callRaw(strict, "DELETE", `/api/v3/openOrders?${all}`, HEADERS);
      expect([rests.status, (await cancelAll()).status]).toEqual([200, 200]);
      await placeLimit(strict, "later", "BUY", "50000", "0.001");
      await expectRefused(cancelAll(), 400, -2011);
      await strict.server.crash();
      await strict.server.restart();
      await expectRefused(callRaw(strict, "POST", ORDER, HEADERS, body), 400, -1021);
      await expectRefused(cancelAll(), 400, -1021);
      const { orders } = readVenueAudit(strict.journal);
      expect(orders.map(({ id }) => id)).toEqual(["once", "rests", "later"]);
      const relaxed = await callRaw(venue, "POST", ORDER, HEADERS, body);
      expect([relaxed.status, (await callRaw(venue, "POST", ORDER, HEADERS, body)).status]).toEqual([
        200, 200,
      ]);
    } finally {
      await strict.server.stop();
    }
  });
});

function signed(fields: Fields): string {
  const query = queryOf(fields);
  return `${query}&signature=${signatureOf(query, VENUE_KEY)}`;
}

async function order(
  fields: Fields,
  signer: typeof VENUE_KEY | { apiKey: string; secret: string } = VENUE_KEY,
) {
  return callSigned(venue, "POST", ORDER, { ...LIMIT, ...fields }, signer);
}

async function find(id: string) {
  return callSigned(venue, "GET", ORDER, { symbol: "BTCUSDT", origClientOrderId: id });
}

async function expectRefused(
  answer: ReturnType<typeof callRaw>,
  status: number,
  code: number,
  message = /./,
): Promise<void> {
  const { json, text, status: actual } = await answer;
  expect([actual, json], text).toEqual([status, { code, msg: expect.stringMatching(message) as string }]);
}

/** A server may close before it has read all of what is too long. */
async function refusedOrClosed(answer: ReturnType<typeof callRaw>): Promise<{ readonly status: number }> {
  return answer.catch((error: unknown) => {
    if (error instanceof Error && "code" in error) return { status: 413 };
    throw error;
  });
}

async function sendBytes(text: string): Promise<void> {
  await new Promise<void>((done) => {
    const socket = createConnection(Number(new URL(venue.url).port), "127.0.0.1", () => {
      socket.write(text);
      socket.end();
    });
    socket.on("error", () => done());
    socket.on("close", () => done());
    socket.resume();
  });
}

async function answerOf(path: string, message: string): Promise<unknown> {
  const socket = new WebSocket(`${venue.wsUrl}${path}`);
  try {
    return await new Promise((done, fail) => {
      socket.on("open", () => socket.send(message));
      socket.on("message", (data: Buffer) => done(JSON.parse(data.toString())));
      socket.on("error", fail);
    });
  } finally {
    socket.terminate();
  }
}
