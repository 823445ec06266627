/** Each fault switch does what it says, is counted, and leaves nothing behind. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import { readVenueAudit } from "../../src/venue/server/read-audit.ts";
import type { Answer } from "../support/venue-client.ts";
import { callRaw, callSigned, placeLimit, signatureOf } from "../support/venue-client.ts";
import type { VenueFault, VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const ORDER = "POST /api/v3/order";
const WITHIN = { timeout: 10_000 };

let venue: VenueProcess;

beforeAll(async () => {
  venue = await startVenueProcess();
});

afterEach(async () => {
  await venue.admin.faults([]);
});

afterAll(async () => {
  await venue.server.stop();
});

describe("faults of requests", () => {
  it.each<{ readonly fault: VenueFault; readonly isDone: boolean; readonly answer: RegExp }>([
    { fault: { kind: "lost_request" }, isDone: false, answer: /socket hang up|ECONNRESET/ },
    { fault: { kind: "error_before", status: 503 }, isDone: false, answer: /^503 \{"code":-1001/ },
    { fault: { kind: "rate_limited" }, isDone: false, answer: /^429 \{"code":-1003/ },
    { fault: { kind: "lost_answer" }, isDone: true, answer: /socket hang up|ECONNRESET/ },
    { fault: { kind: "error_after", status: 502 }, isDone: true, answer: /^502 \{"code":-1001/ },
    { fault: { kind: "reset_in_body" }, isDone: true, answer: /aborted|ECONNRESET|socket hang up/ },
    { fault: { kind: "html_body", status: 502 }, isDone: true, answer: /^502 <html>/ },
    { fault: { kind: "delayed_answer", delay_ms: 50 }, isDone: true, answer: /^200 \{"symbol"/ },
    { fault: { kind: "delayed_request", delay_ms: 50 }, isDone: true, answer: /^200 \{"symbol"/ },
  ])("$fault.kind", async ({ fault, isDone, answer }) => {
    const id = `f-${fault.kind}`;
    await venue.admin.faults([{ ...fault, route: ORDER, times: 1 }]);
    const before = (await venue.admin.status()).faults[fault.kind] ?? 0;
    expect(await said(placeLimit(venue, id, "BUY", "50000", "0.001"))).toMatch(answer);
    const found = await callSigned(venue, "GET", "/api/v3/order", {
      symbol: "BTCUSDT",
      origClientOrderId: id,
    });
    expect(found.status).toBe(isDone ? 200 : 400);
    const isInAudit = readVenueAudit(venue.journal).orders.some((order) => order.id === id);
    expect(isInAudit).toBe(isDone);
    expect((await venue.admin.status()).faults[fault.kind]).toBe(before + 1);
    // It struck once, as it was told.
    const next = await placeLimit(venue, `${id}-next`, "BUY", "50000", "0.001");
    expect(next.status).toBe(200);
  });

  it("strikes only the route it is set for, and about as often as it is told", async () => {
    await venue.admin.faults([{ kind: "error_before", route: "GET /api/v3/time", probability: 0.5 }]);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => callRaw(venue, "GET", "/api/v3/time")),
    );
    const struck = answers.filter(({ status }) => status === 503).length;
    expect(struck).toBeGreaterThan(60);
    expect(struck).toBeLessThan(140);
    expect((await callRaw(venue, "GET", "/api/v3/ping")).status).toBe(200);
  });

  it("answers queries as of a moment ago", async () => {
    await placeLimit(venue, "old", "BUY", "50000", "0.001");
    await venue.admin.faults([{ kind: "stale_query", route: "GET *", age_ms: 60_000 }]);
    await placeLimit(venue, "new", "BUY", "50000", "0.001");
    await callSigned(venue, "DELETE", "/api/v3/order", { symbol: "BTCUSDT", origClientOrderId: "old" });
    await placeLimit(venue, "taken", "BUY", "60000", "0.001");
    expect(await openIds()).toContain("old");
    expect(await openIds()).not.toContain("new");
    const find = async (origClientOrderId: string) =>
      callSigned(venue, "GET", "/api/v3/order", { symbol: "BTCUSDT", origClientOrderId });
    expect((await find("new")).json).toMatchObject({ code: -2013 });
    expect((await find("old")).json).toMatchObject({ status: "NEW" });
    expect((await find("taken")).json).toMatchObject({ code: -2013 });
    const trades = async () =>
      (await callSigned(venue, "GET", "/api/v3/myTrades", { symbol: "BTCUSDT" })).json as readonly unknown[];
    const stale = await trades();
    await venue.admin.faults([]);
    expect((await trades()).length).toBe(stale.length + 1);
    expect(await openIds()).toContain("new");
    expect((await find("taken")).json).toMatchObject({ status: "FILLED" });
  });

  it("is closed for maintenance while it is told so, and does nothing meanwhile", async () => {
    await venue.admin.maintenance(true);
    const refused = await placeLimit(venue, "closed", "BUY", "50000", "0.001");
    expect([refused.status, refused.json]).toMatchObject([503, { code: -1008 }]);
    await expect(listen("/stream/ws/0")).rejects.toThrow("503");
    await venue.admin.maintenance(false);
    expect((await placeLimit(venue, "opened", "BUY", "50000", "0.001")).status).toBe(200);
    expect(readVenueAudit(venue.journal).orders.some(({ id }) => id === "closed")).toBe(false);
  });

  it("refuses switches that make no sense, and keeps those that are set", async () => {
    const kept: VenueFault = { kind: "delayed_answer", route: "GET /api/v3/ping", delay_ms: 1 };
    await venue.admin.faults([kept]);
    for (const wrong of [
      { kind: "meteor" },
      { kind: "lost_answer", probability: 2 },
      { kind: "lost_answer", age: 1 },
    ]) {
      await expect(venue.admin.faults([wrong as VenueFault])).rejects.toThrow("400");
    }
    expect(await venue.admin.call("GET", "/faults")).toMatchObject({
      switches: [{ kind: "delayed_answer" }],
    });
  });
});

describe("faults of streams", () => {
  it("duplicates, leaves out and reorders events", async () => {
    const stream = await listenToOrders();
    const place = async (name: string): Promise<void> => {
      expect((await placeLimit(venue, name, "BUY", "50000", "0.001")).status).toBe(200);
    };
    await venue.admin.faults([{ kind: "duplicate_event", route: "stream user", times: 1 }]);
    await place("twice");
    await vi.waitFor(() => expect(stream.orders()).toEqual(["twice NEW", "twice NEW"]), WITHIN);
    await venue.admin.faults([{ kind: "missing_event", route: "stream user", times: 2 }]);
    await place("unheard");
    await place("heard");
    await vi.waitFor(() => expect(stream.orders().slice(2)).toEqual(["heard NEW"]), WITHIN);
    await venue.admin.faults([{ kind: "reordered_event", route: "stream user", times: 1 }]);
    await place("late");
    await vi.waitFor(
      () => expect(stream.events().slice(-2)).toEqual(["outboundAccountPosition", "executionReport"]),
      WITHIN,
    );
    stream.close();
    const { faults } = await venue.admin.status();
    expect(faults).toMatchObject({ duplicate_event: 1, missing_event: 2, reordered_event: 1 });
  });

  it("falls silent without closing, and closes without a word", async () => {
    const stream = await listenToOrders();
    await venue.admin.faults([{ kind: "stream_silence", route: "stream user", delay_ms: 600_000, times: 1 }]);
    await placeLimit(venue, "silent", "BUY", "50000", "0.001");
    await placeLimit(venue, "silent-2", "BUY", "50000", "0.001");
    const other = await listenToOrders();
    await venue.admin.faults([{ kind: "stream_disconnect", route: "stream user", times: 1 }]);
    await placeLimit(venue, "last", "BUY", "50000", "0.001");
    await vi.waitFor(() => expect(other.isClosed()).toBe(true), WITHIN);
    expect([stream.orders(), stream.isClosed()]).toEqual([[], false]);
    await venue.admin.disconnect();
    await vi.waitFor(() => expect(stream.isClosed()).toBe(true), WITHIN);
  });
});

describe("a clock that is wrong", () => {
  it("is ahead by as much as it is told, and never runs backwards", async () => {
    const time = async (): Promise<number> =>
      ((await callRaw(venue, "GET", "/api/v3/time")).json as { readonly serverTime: number }).serverTime;
    await venue.admin.setClockOffset(60_000);
    const ahead = await time();
    expect(ahead - Date.now()).toBeGreaterThan(55_000);
    await venue.admin.setClockOffset(0);
    expect(await time()).toBeGreaterThanOrEqual(ahead);
  });
});

async function said(answer: Promise<Answer>): Promise<string> {
  return answer.then(
    ({ status, text }) => `${status} ${text}`,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
}

async function openIds(): Promise<readonly string[]> {
  const { json } = await callSigned(venue, "GET", "/api/v3/openOrders", { symbol: "BTCUSDT" });
  return (json as readonly { readonly clientOrderId: string }[]).map(({ clientOrderId }) => clientOrderId);
}

interface Listener {
  readonly socket: WebSocket;
  readonly messages: unknown[];
}

async function listen(path: string): Promise<Listener> {
  const socket = new WebSocket(`${venue.wsUrl}${path}`);
  const messages: unknown[] = [];
  socket.on("message", (data: Buffer) => messages.push(JSON.parse(data.toString())));
  await new Promise<void>((done, fail) => {
    socket.on("open", done);
    socket.on("error", fail);
  });
  return { socket, messages };
}

interface UserEvent {
  readonly event: { readonly e: string; readonly c?: string; readonly X?: string };
}

async function listenToOrders() {
  const { socket, messages } = await listen("/ws-api/v3");
  const params = { apiKey: VENUE_KEY.apiKey, timestamp: Date.now() };
  const signature = signatureOf(`apiKey=${params.apiKey}&timestamp=${params.timestamp}`, VENUE_KEY);
  const subscribe = { id: 1, method: "userDataStream.subscribe.signature", params: { ...params, signature } };
  socket.send(JSON.stringify(subscribe));
  await vi.waitFor(
    () => expect(messages).toMatchObject([{ status: 200, result: { subscriptionId: 0 } }]),
    WITHIN,
  );
  const events = (): readonly UserEvent["event"][] =>
    messages.slice(1).map((message) => (message as UserEvent).event);
  return {
    /** `<client id> <status>` of each report. */
    orders: () =>
      events().flatMap(({ e, c, X }) => (e === "executionReport" ? [`${c ?? ""} ${X ?? ""}`] : [])),
    events: () => events().map(({ e }) => e),
    isClosed: () => socket.readyState === WebSocket.CLOSED,
    close: () => socket.close(),
  };
}
