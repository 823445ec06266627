/** An answer of the exchange that is not a success: what it said, apart from what ccxt makes of it. */
export class ExchangeReply extends Error {
  /** HTTP status; 0 of a message on a stream. */
  readonly status: number;
  /** The exchange's own code; undefined where the answer has none, such as a page of a proxy. */
  readonly code: string | undefined;
  /** How long the exchange wants to be left alone, ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    code: string | undefined,
    message: string,
    retryAfterMs: number | undefined = undefined,
  ) {
    super(message);
    this.name = "ExchangeReply";
    this.status = status;
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}
