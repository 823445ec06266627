/** A bare signed client of the venue: what a request really says is up to the test. */
import { createHmac } from "node:crypto";
import { request } from "node:http";
import type { VenueProcess } from "./venue-process.ts";
import { VENUE_KEY } from "./venue-process.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** Undefined where the text is not JSON. */
  readonly json: unknown;
}

export type Fields = Readonly<Record<string, string | number>>;

export interface Signer {
  readonly apiKey: string;
  readonly secret: string;
}

/** `name=value&…` with `timestamp` of now unless given. */
export function queryOf(fields: Fields): string {
  return Object.entries({ timestamp: Date.now(), ...fields })
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join("&");
}

export function signatureOf(text: string, { secret }: Signer): string {
  return createHmac("sha256", secret).update(text).digest("hex");
}

/** Signs as Binance's clients do: the body of a POST, the query of anything else. */
export async function callSigned(
  venue: Pick<VenueProcess, "url">,
  method: string,
  path: string,
  fields: Fields = {},
  signer: Signer = VENUE_KEY,
): Promise<Answer> {
  const query = queryOf(fields);
  const signed = `${query}&signature=${signatureOf(query, signer)}`;
  const headers = { "X-MBX-APIKEY": signer.apiKey };
  if (method !== "POST") return callRaw(venue, method, `${path}?${signed}`, headers);
  return callRaw(
    venue,
    method,
    path,
    { ...headers, "Content-Type": "application/x-www-form-urlencoded" },
    signed,
  );
}

/** Sends exactly this; rejects where the connection ends without a whole answer. */
export async function callRaw(
  { url }: Pick<VenueProcess, "url">,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    const sent = request(`${url}${path}`, { method, headers: { ...headers, ...length }, agent: false });
    sent.on("error", reject);
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: parseOrNothing(text),
        }),
      );
    });
    sent.end(body);
  });
}

/** A limit order to buy or sell BTCUSDT; answers as `callSigned`. */
export async function placeLimit(
  venue: Pick<VenueProcess, "url">,
  id: string,
  side: "BUY" | "SELL",
  price: string,
  quantity: string,
  fields: Fields = {},
  signer: Signer = VENUE_KEY,
): Promise<Answer> {
  const terms = { symbol: "BTCUSDT", side, type: "LIMIT", timeInForce: "GTC", price, quantity };
  return callSigned(
    venue,
    "POST",
    "/api/v3/order",
    { ...terms, newClientOrderId: id, recvWindow: 60_000, ...fields },
    signer,
  );
}

function parseOrNothing(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
