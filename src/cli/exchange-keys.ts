/** The keys of an exchange: from the config, a file that only its owner may read, or the environment. */
import { readFileSync, statSync } from "node:fs";
import type { RealExchangeConfig } from "../config/schema.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { Secret } from "../domain/secret.ts";
import type { Keys } from "../exchange/ccxt/create-client.ts";

type KeyConfig = Pick<RealExchangeConfig, "api_key" | "secret_key" | "passphrase" | "key_file">;
type Environment = Readonly<Record<string, string | undefined>>;

const NAMES = ["api_key", "secret_key", "passphrase"] as const;
type Texts = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

/** Bits of a file's mode that let anybody but its owner in. */
const OTHERS = 0o077;

/**
 * The keys of exchange `name`; undefined where there are none. The config comes first, then `key_file`, then
 * BINANCE_API_KEY, BINANCE_SECRET_KEY and BINANCE_PASSPHRASE (by the exchange's name).
 * Throws CONFIG_INVALID where the file cannot be read, is open to others, or a key has no secret.
 */
export function readKeys(name: string, config: KeyConfig, env: Environment): Keys | undefined {
  const texts = textsOf(name, config, env);
  const { api_key: apiKey, secret_key: secret, passphrase } = texts;
  if (apiKey === undefined && secret === undefined) return undefined;
  if (apiKey === undefined || secret === undefined) {
    throw invalid(`exchanges.${name}: api_key and secret_key go together; one of them is missing`);
  }
  return {
    apiKey: new Secret(apiKey),
    secret: new Secret(secret),
    passphrase: passphrase === undefined ? undefined : new Secret(passphrase),
  };
}

function textsOf(name: string, config: KeyConfig, env: Environment): Texts {
  const { key_file: file, ...inline } = config;
  if (inline.api_key !== undefined) {
    return Object.fromEntries(
      NAMES.flatMap((key) => {
        const text = inline[key];
        return text === undefined ? [] : [[key, text]];
      }),
    );
  }
  if (file !== undefined) return readKeyFile(`exchanges.${name}.key_file`, file);
  return Object.fromEntries(
    NAMES.flatMap((key) => {
      const text = env[`${name}_${key}`.toUpperCase()];
      return text ? [[key, text]] : [];
    }),
  );
}

function readKeyFile(place: string, file: string): Texts {
  let text: string;
  let mode: number;
  try {
    mode = statSync(file).mode;
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw invalid(`${place}: cannot read ${file}`, { cause });
  }
  if ((mode & OTHERS) !== 0) {
    throw invalid(`${place}: others may read ${file}; make it yours alone: chmod 600 ${file}`);
  }
  const lines = text.split("\n").map((line) => line.trim());
  const entries = lines
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line, index) => {
      const [key, ...rest] = line.split("=");
      const known = NAMES.find((one) => one === key?.trim());
      // What is on the line is never repeated: it may be a key.
      if (!known || rest.length === 0) {
        throw invalid(`${place}: entry ${index + 1} of ${file} is not one of ${NAMES.join("=…, ")}=…`);
      }
      return [known, rest.join("=").trim()] as const;
    });
  return Object.fromEntries(entries);
}

function invalid(message: string, options?: ErrorOptions): QuantmeshError {
  return new QuantmeshError("CONFIG_INVALID", message, options);
}
