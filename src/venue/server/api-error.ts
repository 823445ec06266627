/** Refusals in Binance's words: HTTP status, code and message as its documents have them. */

export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  /** Further response headers. */
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.headers = headers;
  }

  get body(): string {
    return `{"code":${this.code},"msg":${JSON.stringify(this.message)}}`;
  }
}

const refusal =
  (code: number, message: string, status = 400) =>
  (): ApiError =>
    new ApiError(status, code, message);

export const internalError = refusal(
  -1001,
  "Internal error; unable to process your request. Please try again.",
  500,
);
export const outsideWindow = refusal(-1021, "Timestamp for this request is outside of the recvWindow.");
export const aheadOfTime = refusal(
  -1021,
  "Timestamp for this request was 1000ms ahead of the server's time.",
);
export const badSignature = refusal(-1022, "Signature for this request is not valid.");
export const duplicateParameter = refusal(-1101, "Duplicate values for a parameter detected.");
export const tooLarge = refusal(-1101, "Too many parameters sent for this endpoint.", 413);
export const badTimeInForce = refusal(-1115, "Invalid timeInForce.");
export const badOrderType = refusal(-1116, "Invalid orderType.");
export const badSide = refusal(-1117, "Invalid side.");
export const badInterval = refusal(-1120, "Invalid interval.");
export const badSymbol = refusal(-1121, "Invalid symbol.");
export const badCombination = refusal(-1128, "Combination of optional parameters invalid.");
export const windowTooLong = refusal(-1131, "recvWindow must be less than 60000.");
export const invalidJson = refusal(-1135, "Invalid JSON Request");
export const duplicateOrder = refusal(-2010, "Duplicate order sent.");
export const insufficientBalance = refusal(-2010, "Account has insufficient balance for requested action.");
export const wouldTake = refusal(-2010, "Order would immediately match and take.");
export const unknownOrder = refusal(-2011, "Unknown order sent.");
export const noSuchOrder = refusal(-2013, "Order does not exist.");
export const badKeyFormat = refusal(-2014, "API-key format invalid.", 401);
export const badKey = refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401);

export function filterFailure(filter: string): ApiError {
  return new ApiError(400, -1013, `Filter failure: ${filter}`);
}

export function illegalCharacters(name: string, range: string): ApiError {
  return new ApiError(
    400,
    -1100,
    `Illegal characters found in parameter '${name}'; legal range is '${range}'.`,
  );
}

export function mandatory(name: string): ApiError {
  return new ApiError(
    400,
    -1102,
    `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`,
  );
}

export function eitherMandatory(one: string, other: string): ApiError {
  return new ApiError(400, -1102, `Param '${one}' or '${other}' must be sent, but both were empty/null!`);
}

export function emptyParameter(name: string): ApiError {
  return new ApiError(400, -1105, `Parameter '${name}' was empty.`);
}

export function notRequired(name: string): ApiError {
  return new ApiError(400, -1106, `Parameter '${name}' sent when not required.`);
}

export function tooPrecise(name: string): ApiError {
  return new ApiError(400, -1111, `Parameter '${name}' has too much precision.`);
}

export function invalidParameter(name: string): ApiError {
  return new ApiError(400, -1130, `Data sent for parameter '${name}' is not valid.`);
}
