/** Loads ccxt, and of it only the one exchange that is asked for: a third of the memory and time of all of it. */
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { QuantmeshError } from "../../domain/errors.ts";
import type { CcxtClient, CcxtSettings } from "./ccxt-client.ts";

export type CcxtClass = new (settings: CcxtSettings) => CcxtClient;

/**
 * The class of the exchange that ccxt calls `id`, with its watch methods.
 * Throws CONFIG_INVALID where ccxt knows no such exchange.
 */
export async function loadCcxt(id: string): Promise<CcxtClass> {
  const found = /^[a-z0-9]+$/.test(id) ? ((await loadFile(id)) ?? (await loadWhole(id))) : undefined;
  if (!found) throw new QuantmeshError("CONFIG_INVALID", `ccxt knows no exchange "${id}"`);
  return found;
}

/** The package exports only the whole; its files are where its own build puts them. */
async function loadFile(id: string): Promise<CcxtClass | undefined> {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve("ccxt"));
  try {
    const file = new URL(`../js/src/pro/${id}.js`, entry).href;
    return classOf(((await import(/* @vite-ignore */ file)) as { readonly default?: unknown }).default);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** Exchanges without watch methods, and a ccxt whose files have moved. */
async function loadWhole(id: string): Promise<CcxtClass | undefined> {
  const whole = (await import("ccxt")) as unknown as {
    readonly pro: Readonly<Record<string, unknown>>;
    readonly default: Readonly<Record<string, unknown>>;
  };
  return classOf(whole.pro[id]) ?? classOf(whole.default[id]);
}

function classOf(value: unknown): CcxtClass | undefined {
  return typeof value === "function" ? (value as CcxtClass) : undefined;
}
