/** Sets ccxt up the only way it is used here: text for numbers, nothing retried, throttled or judged by itself. */
import type { Clock } from "../../domain/clock.ts";
import type { Secret } from "../../domain/secret.ts";
import type { CcxtClient, CcxtRecord, HandleErrors } from "./ccxt-client.ts";
import type { Dialect } from "./dialect.ts";
import { ExchangeReply } from "./exchange-reply.ts";
import { loadCcxt } from "./load-ccxt.ts";
import { UnreadRecords } from "./unread-records.ts";

export interface Keys {
  readonly apiKey: Secret;
  readonly secret: Secret;
  readonly passphrase: Secret | undefined;
}

export interface ClientOptions {
  readonly exchange: string;
  readonly dialect: Dialect;
  readonly keys: Keys | undefined;
  readonly isSandbox: boolean;
  /** A private server of the exchange's dialect. */
  readonly urls: { readonly rest: string; readonly ws: string } | undefined;
  /** The exchange's time, which reads are signed with. */
  readonly now: () => number;
  readonly clock: Clock;
  /** Called with every answer. */
  readonly noteAnswer: (answer: Answer) => void;
}

export interface Answer {
  readonly headers: CcxtRecord;
  /** The parsed body. */
  readonly reply: unknown;
  /** When the request was sent, monotonic ms; undefined of a message on a stream, which nobody asked for. */
  readonly sentAt: number | undefined;
}

/** The list of all markets is long. */
const LOADING_TIMEOUT_MS = 30_000;

/** Throws CONFIG_INVALID where ccxt knows no such exchange. */
export async function createClient(options: ClientOptions): Promise<CcxtClient> {
  const { dialect, keys, urls, isSandbox } = options;
  const Client = await loadCcxt(options.exchange);
  const client = new Client({
    ...(keys ? { apiKey: keys.apiKey.reveal(), secret: keys.secret.reveal() } : {}),
    ...(keys?.passphrase ? { password: keys.passphrase.reveal() } : {}),
    ...(urls ? { urls: { api: dialect.urls(urls.rest, urls.ws) } } : {}),
    enableRateLimit: false,
    timeout: LOADING_TIMEOUT_MS,
    options: {
      maxRetriesOnFailure: 0,
      // How long to wait before a stream is opened again is decided by who watches it.
      ws: { backoff: { base: 0 } },
      ...dialect.options,
    },
  });
  client.number = String;
  client.orders = new UnreadRecords();
  client.myTrades = new UnreadRecords();
  client.nonce = options.now;
  const sentAt = new WeakMap<CcxtRecord, number>();
  client.setHeaders = (headers) => {
    sentAt.set(headers, options.clock.monotonic());
    return headers;
  };
  const refuse = throwReplies(dialect);
  client.handleErrors = (...answer) => {
    const [, , , , headers, , reply, requestHeaders] = answer;
    options.noteAnswer({ headers, reply, sentAt: requestHeaders && sentAt.get(requestHeaders) });
    return refuse(...answer);
  };
  if (isSandbox) client.setSandboxMode(true);
  // Without it, ccxt refuses addresses that begin with ws://.
  await client.loadHttpProxyAgent();
  return client;
}

/**
 * Every answer that is not a success becomes an ExchangeReply, before ccxt makes a class of its own of it; so does a
 * page of a proxy, which ccxt would take for an empty list.
 */
function throwReplies(dialect: Dialect): HandleErrors {
  return (status, _reason, _url, _method, headers, _body, reply) => {
    const said = dialect.codeOf(reply);
    const isReadable = typeof reply === "object" && reply !== null;
    if (status >= 200 && status < 300 && said === undefined && isReadable) return undefined;
    // On a stream ccxt hands the exchange's code over for the status.
    const httpStatus = status >= 100 ? status : 0;
    throw new ExchangeReply(httpStatus, said?.code, said?.message ?? "", retryAfterMs(headers));
  };
}

function retryAfterMs(headers: CcxtRecord): number | undefined {
  const name = Object.keys(headers).find((key) => key.toLowerCase() === "retry-after");
  const seconds = name === undefined ? Number.NaN : Number(headers[name]);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}
