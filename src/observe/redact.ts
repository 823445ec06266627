/** Turns anything into JSON-safe data without secrets: for log lines and for pages. */

export const REDACTED = "[redacted]";
const MAX_DEPTH = 8;
const SECRET_KEY =
  /secret|passw(or)?d|passphrase|pass_?phrase|api_?-?key|private_?-?key|token|signature|authorization|cookie/i;
const URL_CREDENTIALS = /(:\/\/)[^\s/@"']*@/g;
const SECRET_ARGUMENT =
  /\b([\w-]*(?:secret|passw(?:or)?d|passphrase|api_?-?key|token|signature)[\w-]*["']?\s*[=:]\s*["']?)[^\s&"',;}]+/gi;

/**
 * JSON-safe copy of `value`: bigints as decimal text, errors as {code, message, cause} (and stack where asked),
 * maps as objects, sets as lists, secrets as "[redacted]", and nothing deeper than eight levels.
 */
export function redact(value: unknown, options: { readonly stacks: boolean }, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  if (typeof value === "function") return "[function]";
  if (typeof value !== "object" || value === null) return value;
  if (depth >= MAX_DEPTH) return "[too deep]";
  const inner = (child: unknown): unknown => redact(child, options, depth + 1);
  if (value instanceof Error) return redactError(value, options, depth);
  if (Array.isArray(value) || value instanceof Set) return Array.from(value, inner);
  if ("toJSON" in value && typeof value.toJSON === "function") return inner(value.toJSON());
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, child]) => [String(key), SECRET_KEY.test(String(key)) ? REDACTED : inner(child)]),
  );
}

/** `text` without credentials in URLs and without the values of secret arguments (`signature=…`). */
export function redactText(text: string): string {
  return text.replace(URL_CREDENTIALS, `$1${REDACTED}@`).replace(SECRET_ARGUMENT, `$1${REDACTED}`);
}

function redactError(error: Error, options: { readonly stacks: boolean }, depth: number): unknown {
  return {
    code: "code" in error ? String(error.code) : error.name,
    message: redactText(error.message),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, options, depth + 1) }),
    ...(options.stacks && error.stack !== undefined ? { stack: redactText(error.stack) } : {}),
  };
}
