/** Who may do what: API keys, their signatures and their time windows. */
import type { KeyObject } from "node:crypto";
import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
import type { Instant } from "../../domain/ids.ts";
import { AddressList } from "./address-list.ts";
import { aheadOfTime, badKey, badKeyFormat, badSignature, illegalCharacters } from "./api-error.ts";
import { mandatory, outsideWindow, windowTooLong } from "./api-error.ts";
import type { ApiKeyOptions, Permission } from "./options.ts";
import type { Params } from "./params.ts";
import { required, requiredInteger } from "./params.ts";

const DEFAULT_WINDOW_MS = 5_000;
const LONGEST_WINDOW_MS = 60_000;
/** How far ahead of the venue's clock a timestamp may be. */
const MOST_AHEAD_MS = 1_000;
const SIGNATURE_BYTES = 32;

export interface ApiKey {
  readonly key: string;
  readonly account: string;
  readonly permissions: ReadonlySet<Permission>;
  readonly allowedIps: AddressList | undefined;
  /** Prints nothing of itself. */
  readonly secret: KeyObject;
}

/** A request whose sender is known. */
export interface Signed {
  readonly key: ApiKey;
  readonly timestamp: number;
  /** The matcher must have it by then. */
  readonly validUntil: Instant;
}

export class KeyTable {
  readonly #keys = new Map<string, ApiKey>();

  constructor(keys: readonly ApiKeyOptions[]) {
    for (const { key, secret, account, permissions, allowedIps } of keys) {
      this.#keys.set(key, {
        key,
        account,
        permissions: new Set(permissions),
        allowedIps: allowedIps && new AddressList(allowedIps),
        secret: createSecretKey(Buffer.from(secret)),
      });
    }
  }

  /** Throws the refusal where the key is unknown, may not do this, or not from `ip`. */
  find(key: string | undefined, permission: Permission, ip: string): ApiKey {
    const found = key === undefined ? undefined : this.#keys.get(key);
    if (!found && (key === undefined || !/^[A-Za-z0-9_-]{4,128}$/.test(key))) throw badKeyFormat();
    if (!found || !found.permissions.has(permission) || found.allowedIps?.has(ip) === false) throw badKey();
    return found;
  }

  /** Checks key, signature of `payload` and time. Throws the refusal in the order in which Binance finds it. */
  check(
    key: string | undefined,
    params: Params,
    payload: string,
    permission: Permission,
    ip: string,
    now: Instant,
  ): Signed {
    const signature = params.get("signature");
    if (key === undefined) throw badKeyFormat();
    const timestamp = requiredInteger(params, "timestamp");
    if (signature === undefined || signature === "") throw mandatory("signature");
    const windowMs = windowOf(params);
    const found = this.find(key, permission, ip);
    if (!isSigned(payload, signature, found.secret)) throw badSignature();
    if (timestamp >= now + MOST_AHEAD_MS) throw aheadOfTime();
    if (now - timestamp > windowMs) throw outsideWindow();
    return { key: found, timestamp, validUntil: (timestamp + windowMs) as Instant };
  }
}

function windowOf(params: Params): number {
  const text = params.get("recvWindow");
  if (text === undefined) return DEFAULT_WINDOW_MS;
  // Up to three decimals: Binance counts microseconds.
  if (!/^\d{1,10}(\.\d{1,3})?$/.test(required(params, "recvWindow"))) {
    throw illegalCharacters("recvWindow", "^[0-9]{1,10}(\\.[0-9]{1,3})?$");
  }
  const windowMs = Number(text);
  if (windowMs > LONGEST_WINDOW_MS) throw windowTooLong();
  return windowMs;
}

/** Of the one request that is being checked. */
const GIVEN = Buffer.alloc(SIGNATURE_BYTES);
const EXPECTED = Buffer.alloc(SIGNATURE_BYTES);

function isSigned(payload: string, signature: string, secret: KeyObject): boolean {
  if (signature.length !== 2 * SIGNATURE_BYTES || GIVEN.write(signature, "hex") !== SIGNATURE_BYTES)
    return false;
  // As text, which costs a third less than a buffer of its own.
  EXPECTED.write(createHmac("sha256", secret).update(payload).digest("binary"), "binary");
  return timingSafeEqual(GIVEN, EXPECTED);
}
