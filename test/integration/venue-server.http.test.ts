/** Requests as clients may put them on the wire: in one piece or many, one after another or all at once. */
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { queryOf, signatureOf } from "../support/venue-client.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const WITHIN = { timeout: 20_000 };
let venue: VenueProcess;
let lastId = 0;
const sockets: Socket[] = [];

beforeAll(async () => {
  venue = await startVenueProcess();
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

afterAll(async () => {
  await venue.server.stop();
});

interface Parsed {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: unknown;
}

describe("a connection", () => {
  it("answers orders and questions one after another", async () => {
    const talk = await open();
    for (const request of [order(), GET_TIME, order(), get("/api/v3/depth?symbol=BTCUSDT"), GET_TIME]) {
      talk.send(request);
      await talk.hasAnswers(talk.answers().length + 1);
    }
    expect(talk.answers().map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(talk.answers()[0]?.body).toMatchObject({ status: "NEW" });
    expect(talk.answers()[3]?.body).toHaveProperty("lastUpdateId");
  });

  it.each([
    ["in two pieces, head and body", (text: string) => splitAt(text, text.indexOf("\r\n\r\n") + 4)],
    ["in the middle of a header", (text: string) => splitAt(text, 40)],
    ["in the middle of the body", (text: string) => splitAt(text, text.length - 7)],
    ["byte by byte", (text: string) => [...text]],
  ])("reads an order that comes %s", async (_, split) => {
    const talk = await open();
    for (const piece of split(order())) {
      talk.send(piece);
      await new Promise((done) => setImmediate(done));
    }
    await talk.hasAnswers(1);
    talk.send(order());
    await talk.hasAnswers(2);
    expect(talk.answers().map(({ status, body }) => [status, body])).toMatchObject([
      [200, { status: "NEW" }],
      [200, { status: "NEW" }],
    ]);
  });

  it("answers requests that come all at once in their order", async () => {
    const talk = await open();
    const ids = Array.from({ length: 20 }, () => `all${(lastId += 1)}`);
    talk.send(ids.map((id) => order({ newClientOrderId: id })).join("") + GET_TIME);
    await talk.hasAnswers(21);
    const answers = talk.answers();
    expect(answers.slice(0, 20).map(({ body }) => (body as { clientOrderId: string }).clientOrderId)).toEqual(
      ids,
    );
    expect(answers[20]?.body).toHaveProperty("serverTime");
  });

  it("keeps the order of answers where a request comes before the answer to the one before it", async () => {
    await venue.admin.faults([
      { kind: "delayed_answer", route: "POST /api/v3/order", times: 1, delay_ms: 300 },
    ]);
    const talk = await open();
    talk.send(order({ newClientOrderId: "slow-one" }));
    await vi.waitFor(
      async () => expect((await venue.admin.status()).faults["delayed_answer"]).toBe(1),
      WITHIN,
    );
    talk.send(GET_TIME);
    talk.send(order({ newClientOrderId: "quick-one" }));
    await talk.hasAnswers(3);
    expect(talk.answers().map(({ body }) => body)).toMatchObject([
      { clientOrderId: "slow-one" },
      { serverTime: expect.any(Number) as number },
      { clientOrderId: "quick-one" },
    ]);
  });

  it("has the same answer, headers included, whichever way it was read", async () => {
    const talk = await open();
    talk.send(order());
    await talk.hasAnswers(1);
    talk.send(order({}, ["TE: trailers"]));
    await talk.hasAnswers(2);
    const [quick, usual] = talk.answers();
    expect([...(quick?.headers.keys() ?? [])]).toEqual([...(usual?.headers.keys() ?? [])]);
    for (const name of ["content-type", "connection", "keep-alive", "x-mbx-order-count-10s"]) {
      expect(quick?.headers.has(name), name).toBe(true);
    }
    expect(quick?.headers.get("keep-alive")).toBe(usual?.headers.get("keep-alive"));
    expect(Object.keys(quick?.body as object)).toEqual(Object.keys(usual?.body as object));
  });

  it("ends where the client asks for that, and where it sends no more", async () => {
    const asked = await open();
    asked.send(order({}, ["Connection: close"]));
    await once(asked.socket, "end");
    expect(asked.answers()).toMatchObject([{ status: 200, body: { status: "NEW" } }]);
    const half = await open();
    half.socket.end(order());
    await once(half.socket, "end");
    expect(half.answers()).toMatchObject([{ status: 200, body: { status: "NEW" } }]);
  });

  it("refuses what is no request, or two requests at once to different readers", async () => {
    const smuggled = `Content-Length: 5\r\nTransfer-Encoding: chunked`;
    const lengths = `Content-Length: 5\r\nContent-Length: 6`;
    const bad = [
      "GARBAGE\r\n\r\n",
      "GET /api/v3/time HTTP/1.1\r\n\r\n",
      post(smuggled),
      post(lengths),
      post("Content-Length: -1"),
    ];
    for (const text of bad) {
      const talk = await open();
      talk.send(text);
      await once(talk.socket, "end");
      expect(talk.answers()[0]?.status, text).toBe(400);
    }
    const chunked = await open();
    const { body } = bodyOf();
    chunked.send(
      `${post("Transfer-Encoding: chunked", "")}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    );
    await chunked.hasAnswers(1);
    expect(chunked.answers()).toMatchObject([{ status: 200, body: { status: "NEW" } }]);
  });
});

describe("a client that does not read", () => {
  it("is not listened to any more, until it does", async () => {
    const symbols = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [
        `COIN${index}/USDT`,
        { tick_size: "0.01", lot_size: "0.00001", market: { type: "manual", start_price: "100" } },
      ]),
    );
    const large = await startVenueProcess({ symbols });
    try {
      const talk = await open(large);
      talk.socket.pause();
      const requests = async (): Promise<number> => (await large.admin.status()).requests;
      const isRead = async (count: number): Promise<boolean> => {
        for (let look = 0; look < 200; look += 1) if ((await requests()) === count) return true;
        return false;
      };
      // One at a time, each once the one before it was read, for as long as they are.
      let count = 1;
      for (talk.send(get(BUSY)); await isRead(count); talk.send(get(BUSY))) {
        count += 1;
        expect(count, "all of them were read").toBeLessThan(1_000);
      }
      talk.socket.resume();
      await vi.waitFor(async () => expect(await requests()).toBe(count), { timeout: 20_000 });
    } finally {
      await large.server.stop();
    }
  });
});

const BUSY = "/api/v3/exchangeInfo";
const GET_TIME = get("/api/v3/time");

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: venue\r\n\r\n`;
}

function post(headers: string, body = "abcde"): string {
  return `POST /api/v3/order HTTP/1.1\r\nHost: venue\r\nX-MBX-APIKEY: ${VENUE_KEY.apiKey}\r\n${headers}\r\n\r\n${body}`;
}

function bodyOf(fields: Readonly<Record<string, string>> = {}): { readonly body: string } {
  lastId += 1;
  const query = queryOf({
    symbol: "BTCUSDT",
    side: "BUY",
    type: "LIMIT",
    timeInForce: "GTC",
    price: "50000",
    quantity: "0.001",
    newClientOrderId: `http${lastId}`,
    ...fields,
  });
  return { body: `${query}&signature=${signatureOf(query, VENUE_KEY)}` };
}

function order(fields: Readonly<Record<string, string>> = {}, headers: readonly string[] = []): string {
  const { body } = bodyOf(fields);
  return post([`Content-Length: ${body.length}`, ...headers].join("\r\n"), body);
}

function splitAt(text: string, at: number): readonly string[] {
  return [text.slice(0, at), text.slice(at)];
}

/** A connection whose answers are read as they come. */
async function open({ url }: Pick<VenueProcess, "url"> = venue) {
  const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1", allowHalfOpen: true });
  sockets.push(socket);
  socket.setNoDelay(true);
  let received = "";
  socket.on("data", (chunk: Buffer) => (received += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  await once(socket, "connect");
  const answers = (): readonly Parsed[] => parse(received);
  return {
    socket,
    answers,
    send: (text: string) => socket.write(text),
    hasAnswers: async (count: number) => vi.waitFor(() => expect(answers()).toHaveLength(count), WITHIN),
  };
}

function parse(text: string): readonly Parsed[] {
  const answers: Parsed[] = [];
  for (let rest = text; ; ) {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0) return answers;
    const [first = "", ...lines] = rest.slice(0, end).split("\r\n");
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const length = Number(headers.get("content-length") ?? 0);
    const body = rest.slice(end + 4, end + 4 + length);
    if (body.length < length) return answers;
    answers.push({
      status: Number(first.split(" ")[1]),
      headers,
      body: body === "" ? undefined : JSON.parse(body),
    });
    rest = rest.slice(end + 4 + length);
  }
}
