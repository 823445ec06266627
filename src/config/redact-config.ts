/** A config that people may see: without keys, tokens and passwords. */
import { isMapping } from "./path.ts";
import type { Path } from "./path.ts";

export const REDACTED = "[redacted]";

const SECRET_KEYS = new Set([
  "api_key",
  "gemini_api_key",
  "secret_key",
  "passphrase",
  "password",
  "secret",
  "bot_token",
  "webhook",
]);
/** Database addresses: public but for the password in them. */
const ADDRESS_KEY = "dsn";
const USER_AND_PASSWORD = /^(?:([a-z][a-z0-9+.-]*:\/\/)\S*|[^\s/]*:\S*)@/i;
const URL_CREDENTIALS = /(:\/\/)[^\s/]*@/g;
const PASSWORD_ARGUMENT = /\b(passw(?:or)?d|pwd)=('(?:[^'\\]|\\.)*'|[^\s&;]*)/gi;

/** A copy of `config` with every secret as `[redacted]`; passwords inside database addresses too. */
export function redactConfig<Value>(config: Value): Value {
  return redactNode(config, undefined) as Value;
}

/** True where the value at `path` must never be shown as a whole. */
export function isSecretPath(path: Path): boolean {
  return path.some((step) => step === ADDRESS_KEY || SECRET_KEYS.has(String(step)));
}

function redactNode(node: unknown, key: string | undefined): unknown {
  if (key !== undefined && SECRET_KEYS.has(key)) return REDACTED;
  if (typeof node === "string") return key === ADDRESS_KEY ? redactAddress(node) : redactUrl(node);
  if (Array.isArray(node)) return node.map((item: unknown) => redactNode(item, key));
  if (!isMapping(node)) return node;
  return Object.fromEntries(Object.entries(node).map(([name, child]) => [name, redactNode(child, name)]));
}

/** Whatever the key: an address may have a password in it. */
function redactUrl(text: string): string {
  return text.replace(URL_CREDENTIALS, `$1${REDACTED}@`);
}

/** `postgres://user:password@host/db`, `user:password@tcp(host)/db` and `host=… password=…` without the secrets. */
function redactAddress(text: string): string {
  return text
    .replace(USER_AND_PASSWORD, (_, scheme: string | undefined) => `${scheme ?? ""}${REDACTED}@`)
    .replace(PASSWORD_ARGUMENT, `$1=${REDACTED}`);
}
