/** Asks the exchange what matters before orders go there: its clock, the key, the symbols, the limits, the account. */
import type { Config, RealExchangeConfig } from "../../config/schema.ts";
import { hasCode } from "../../domain/errors.ts";
import type { Finding } from "../../domain/finding.ts";
import { fault, ok, warn } from "../../domain/finding.ts";
import type { Bot } from "../../domain/grid.ts";
import type { RoundTrip } from "../../domain/round-trip.ts";
import { clockOffset, formatMs, formatOffset, medianMs } from "../../domain/round-trip.ts";
import type { Balance } from "../../exchange/exchange.ts";
import type { Keys } from "../../exchange/ccxt/create-client.ts";
import type { CcxtView } from "../../exchange/ccxt/open-ccxt-exchange.ts";
import { findExchange, refusalOf } from "../../exchange/ccxt/exchange-table.ts";
import { readKeys } from "../exchange-keys.ts";
import { sendsOrders } from "../fit-order-counts.ts";
import { ccxtOptions, realExchangeOf } from "../open-market.ts";
import { NO_LOG, NO_METRICS } from "../preview-grids.ts";
import { instancesOf, sharesLimits } from "../shared-limits.ts";
import { checkEachGrid } from "./check-each-grid.ts";
import { judgeBalances, judgeOrderCounts } from "./judge-grids.ts";
import { reasonOf } from "./run-checks.ts";

const TIMES = 5;
/** Of the request window; beyond it a computer's clock is wrong enough to mislead people too. */
const WORTH_TELLING_SHARE = 0.25;
/** Reads leave the rest of the limits to orders, as in the request budget. */
const READ_SHARE = 0.7;

/**
 * `instances`: how many run or are configured. `stored`: the bots that trade already. On the simulated market only the
 * grids are looked at.
 */
export async function checkExchange(
  config: Config,
  instances: number,
  stored: readonly Bot[],
): Promise<readonly Finding[]> {
  const found = realExchangeOf(config);
  if (!found) return (await checkEachGrid(config, undefined, stored)).findings;
  const { name, real } = found;
  const refusal = refusalIn(name, real.mode);
  const { keys, finding: keyFinding } = keysOf(name, real);
  const { openCcxtView } = await import("../../exchange/ccxt/open-ccxt-exchange.ts");
  let view: CcxtView;
  try {
    // Lists of an exchange that is not spoken are never read.
    view = await openCcxtView(
      ccxtOptions(name, real, NO_LOG, NO_METRICS),
      refusal === undefined ? keys : undefined,
    );
  } catch (error) {
    const remedy = `see that this computer reaches ${real.urls?.rest ?? name} (name resolution, firewall, proxy), or correct exchanges.${name}.urls`;
    return [...asList(refusal), ...asList(keyFinding), fault("exchange.reach", reasonOf(error), remedy)];
  }
  try {
    // The clock comes first: everything else is signed with the exchange's time.
    const clock = await checkClock(view, name, real.request_window_ms);
    const [key, grids, account] = await Promise.all([
      keys && refusal === undefined ? checkKey(view, name, real.allow_withdrawal_key) : undefined,
      checkEachGrid(config, view.exchange, stored),
      keys && refusal === undefined ? readBalances(view, name) : undefined,
    ]);
    return [
      ...asList(refusal),
      ...clock,
      ...asList(key ?? keyFinding),
      // Where the exchange tells nothing of the key, its account still refuses a wrong one.
      ...(account?.kind === "unread" && key?.level !== "fault" ? [account.finding] : []),
      ...grids.findings,
      ...(sendsOrders(real.mode)
        ? [
            judgeLimits(config, view, instances, partsOf(config, real)),
            ...judgeOrderCounts(
              grids.checked,
              (symbol) => view.exchange.mostOpenOrders(symbol),
              real.limits.max_open_orders,
            ),
          ]
        : []),
      ...(account?.kind === "read" ? judgeBalances(grids.checked, account.balances) : []),
    ];
  } finally {
    await view.exchange.close();
  }
}

/** Whether orders may be sent there at all. */
function refusalIn(name: string, mode: string): Finding | undefined {
  if (!sendsOrders(mode)) return undefined;
  const facts = findExchange(name);
  const refusal = facts ? refusalOf(facts) : `"${name}" is not in the exchange table`;
  if (refusal === undefined) return undefined;
  return fault(
    "exchange.reach",
    refusal,
    `set exchanges.${name}.mode to paper, or trade an exchange that quantmesh exchanges allows`,
  );
}

interface FoundKeys {
  readonly keys?: Keys;
  readonly finding?: Finding;
}

function keysOf(name: string, real: NonNullable<ReturnType<typeof realExchangeOf>>["real"]): FoundKeys {
  const { mode, key_file: file } = real;
  if (mode === "paper") return { finding: ok("exchange.key", "mode paper needs none") };
  try {
    const keys = readKeys(name, real, process.env);
    if (keys) return { keys };
  } catch (error) {
    const says = reasonOf(error);
    const remedy =
      file !== undefined && says.includes("chmod")
        ? `chmod 600 ${file}, and make a new key if somebody else may have read it`
        : `give exchanges.${name}.key_file the lines api_key=… and secret_key=…`;
    return { finding: fault("exchange.key", says.replace(/; make it yours.*$/, ""), remedy) };
  }
  if (mode === "dry_run") return { finding: ok("exchange.key", "mode dry_run needs none") };
  return {
    finding: fault(
      "exchange.key",
      `mode ${mode} needs a key, and there is none`,
      `set exchanges.${name}.key_file, or ${name.toUpperCase()}_API_KEY and ${name.toUpperCase()}_SECRET_KEY in the environment`,
    ),
  };
}

async function checkClock(
  { exchange }: CcxtView,
  name: string,
  windowMs: number,
): Promise<readonly Finding[]> {
  const remedy = `see that this computer reaches ${name}, and try again in a minute`;
  const trips: RoundTrip[] = [];
  try {
    for (let asked = 0; asked < TIMES; asked += 1) {
      const sent = Date.now();
      const started = performance.now();
      const told = await exchange.time();
      trips.push({ sent, received: sent + (performance.now() - started), told });
    }
  } catch (error) {
    return [fault("exchange.reach", reasonOf(error), remedy)];
  }
  return [
    ok("exchange.reach", `${name} answers in ${formatMs(medianMs(trips))}`),
    judgeClock(trips, windowMs),
  ];
}

export function judgeClock(trips: readonly RoundTrip[], windowMs: number): Finding {
  const { aheadMs, errorMs } = clockOffset(trips);
  const says = `${formatOffset(aheadMs)} (± ${formatMs(errorMs)}); a request lives ${windowMs} ms`;
  const certainMs = Math.abs(aheadMs) - errorMs;
  const remedy = "synchronize this computer's clock (chrony or systemd-timesyncd: timedatectl set-ntp true)";
  if (certainMs > windowMs) return fault("exchange.clock", says, remedy);
  return certainMs > windowMs * WORTH_TELLING_SHARE
    ? warn("exchange.clock", says, remedy)
    : ok("exchange.clock", says);
}

async function checkKey({ exchange }: CcxtView, name: string, mayWithdraw: boolean): Promise<Finding> {
  let rights: Awaited<ReturnType<CcxtView["exchange"]["keyRights"]>>;
  try {
    rights = await exchange.keyRights();
  } catch (error) {
    return unanswered(name, error);
  }
  if (!rights) {
    return warn(
      "exchange.key",
      `${name} does not tell what the key may do`,
      "see on the exchange's own page that the key may trade spot and may not withdraw",
    );
  }
  const { canTrade, canWithdraw, isIpRestricted } = rights;
  if (canWithdraw && !mayWithdraw) {
    return fault(
      "exchange.key",
      "the key may withdraw: whoever gets it takes all",
      `take the permission to withdraw from the key on ${name}, or set exchanges.${name}.allow_withdrawal_key: true`,
    );
  }
  if (!canTrade)
    return fault("exchange.key", "the key may not trade", `allow the key spot trading on ${name}`);
  const may = `the key may trade${canWithdraw ? " and withdraw" : ", and not withdraw"}`;
  if (isIpRestricted === false) {
    return warn(
      "exchange.key",
      `${may}, from any address`,
      `restrict the key on ${name} to the addresses of your instances`,
    );
  }
  return canWithdraw
    ? warn("exchange.key", may, `take the permission to withdraw from the key on ${name}`)
    : ok("exchange.key", `${may}${isIpRestricted ? ", from listed addresses only" : ""}`);
}

type Account =
  | { readonly kind: "read"; readonly balances: readonly Balance[] }
  | { readonly kind: "unread"; readonly finding: Finding };

async function readBalances({ exchange }: CcxtView, name: string): Promise<Account> {
  try {
    return { kind: "read", balances: await exchange.balances() };
  } catch (error) {
    return { kind: "unread", finding: unanswered(name, error) };
  }
}

/** In how many parts the limits are divided; undefined where all who use them count together. */
function partsOf(config: Config, real: RealExchangeConfig): number | undefined {
  return sharesLimits(config, real) ? undefined : (instancesOf(config, real) ?? 1);
}

/** A question that only the key's owner may ask. */
function unanswered(name: string, error: unknown): Finding {
  return fault(
    "exchange.key",
    reasonOf(error),
    hasCode(error, "EXCHANGE_AUTH")
      ? `correct api_key and secret_key of exchanges.${name}, and the addresses from which the key works`
      : "try again in a minute",
  );
}

/** What the regular comparison with the exchange's lists costs, for all symbols, of what reads may use of the limit. */
function judgeLimits(config: Config, view: CcxtView, instances: number, parts: number | undefined): Finding {
  const { weights, allowed } = view;
  const { reconcile_interval: seconds, symbols } = config.trading;
  const perSymbol = weights.time + weights.openOrders + weights.fills + weights.price + weights.balances;
  const needed = Math.ceil((symbols.length * perSymbol * 60) / seconds);
  const limit =
    allowed.find(({ counts, perMs }) => counts === "weight" && perMs === 60_000)?.most ??
    Number.POSITIVE_INFINITY;
  const most = Math.floor(limit * READ_SHARE);
  const says = `comparisons of ${symbols.length} ${symbols.length === 1 ? "symbol" : "symbols"} cost ${needed} of ${most} weight a minute`;
  if (needed > most) {
    return fault(
      "exchange.limits",
      says,
      `raise trading.reconcile_interval to ${Math.ceil((seconds * needed) / most)} seconds or more, or trade fewer symbols`,
    );
  }
  if (parts !== undefined && instances > parts) {
    const name = realExchangeOf(config)?.name ?? "sim";
    return warn(
      "exchange.limits",
      `${says}; ${instances} instances each use ${parts === 1 ? "all" : `a part in ${parts}`} of the limits`,
      `set exchanges.${name}.limits.instances to ${instances} in every config where they share one address or key`,
    );
  }
  return ok("exchange.limits", says);
}

function asList(finding: Finding | undefined): readonly Finding[] {
  return finding ? [finding] : [];
}
