/** `quantmesh status|drain|rebalance` and `quantmesh symbols move`: a fleet looked at and steered from outside. */
import type { Command } from "commander";
import { ConfigCentre } from "../coordination/config-centre.ts";
import type { FleetView } from "../coordination/fleet-view.ts";
import { fleetKeys, holderName, readFleet } from "../coordination/fleet-view.ts";
import type { MoveScene } from "../coordination/moves.ts";
import { readMoves } from "../coordination/moves.ts";
import { assertNever } from "../domain/assert.ts";
import { QuantmeshError } from "../domain/errors.ts";
import { formatConfigStatus } from "./config-status.ts";
import { loadRunConfig } from "./fleet-config.ts";
import type { FleetStatus, MoveStatus } from "./fleet-status.ts";
import { fleetStatus, silentMembers } from "./fleet-status.ts";
import { moveHotSymbols, moveSymbol } from "./move-symbols.ts";
import { openStore } from "./open-store.ts";
import { openExisting } from "./open-existing.ts";
import type { OutsideFleet } from "./outside-fleet.ts";
import { waitUntil } from "./outside-fleet.ts";
import { parseWholeNumber } from "./parse-options.ts";
import { formatTable } from "./table.ts";

const WATCH_MS = 1000;
const CLEAR = "\u001b[H\u001b[J";

interface Options {
  readonly config: string;
  readonly json?: boolean;
  readonly watch?: boolean;
  readonly hot?: boolean;
  readonly to?: number;
  readonly timeout: number;
}

export function addFleetCommands(program: Command): void {
  const waits = (command: Command): Command =>
    command.option(
      "--timeout <seconds>",
      "how long to wait until it is done",
      parseWholeNumber("--timeout"),
      60,
    );
  program
    .command("status")
    .description("show a fleet: its instances, seats and symbols, and what is not as it should be")
    .requiredOption("-c, --config <file>", "config file of any instance")
    .option("--watch", "again each second, until Ctrl-C")
    .option("--json", "as JSON; with --watch one object per line")
    .action(async (options: Options) => withFleet(options, (fleet) => showStatus(fleet, options)));
  waits(
    program
      .command("drain")
      .description(
        "let an instance give all its symbols to the others, and trade no more until it is restarted",
      )
      .argument("<instance>", "its id")
      .requiredOption("-c, --config <file>", "config file of any instance"),
  ).action(async (id: string, options: Options) => withFleet(options, (fleet) => drain(fleet, id, options)));
  waits(
    program
      .command("rebalance")
      .description("put every symbol back to where the ring has its place: ends all moves")
      .option("--hot", "instead carry out the moves of hot symbols that `status` proposes")
      .requiredOption("-c, --config <file>", "config file of any instance"),
  ).action(async (options: Options) =>
    withFleet(options, (fleet) => (options.hot ? moveHotSymbols(fleet, options) : rebalance(fleet, options))),
  );
  const symbols = program.command("symbols").description("say which instance trades what");
  waits(
    symbols
      .command("move")
      .description("give a symbol to a seat; its orders rest on the exchange all the while")
      .argument("<symbol>", "BTC/USDT")
      .requiredOption("--to <seat>", "number of the seat", parseWholeNumber("--to"))
      .requiredOption("-c, --config <file>", "config file of any instance"),
  ).action(async (symbol: string, options: Options) =>
    withFleet(options, (fleet) => moveSymbol(fleet, symbol, options.to ?? 0, options)),
  );
}

async function withFleet(options: Options, work: (fleet: OutsideFleet) => Promise<void>): Promise<void> {
  const { config } = await loadRunConfig(options.config, process.env, { publishes: false });
  if (config.coordination.mode !== "dynamic") {
    throw new QuantmeshError(
      "CONFIG_INVALID",
      `${options.config}: coordination.mode is ${config.coordination.mode}; only a fleet in mode dynamic has seats`,
    );
  }
  const storage = await openExisting(config, options.config);
  const store = await openStore(config);
  const keys = fleetKeys(config.coordination.fleet);
  const scene = async (): Promise<MoveScene> => {
    const entries = new Map((await store.list(keys.prefix)).entries.map((entry) => [entry.key, entry]));
    return { keys, entries, view: readFleet(keys, entries) };
  };
  const view = async (): Promise<FleetView> => (await scene()).view;
  try {
    await work({ config, store, storage, keys, view, scene });
  } finally {
    store.close();
    await storage.close();
  }
}

async function drain(fleet: OutsideFleet, id: string, options: Options): Promise<void> {
  const { store, storage, keys, view } = fleet;
  const member = (await view()).members.get(id);
  if (!member) {
    const known = [...(await view()).members.keys()].join(", ") || "none";
    throw new QuantmeshError("CONFIG_INVALID", `there is no instance "${id}"; running: ${known}`);
  }
  const value = JSON.stringify({ incarnation: member.incarnation });
  await store.write([], [{ kind: "put", key: keys.drain(id), value }]);
  await waitUntil(options, `${id} still has symbols`, async () => {
    const claims = await storage.listClaims();
    const isSeated = (await view()).seats.some(({ holder }) => holder.id === id);
    return !isSeated && claims.every(({ holder }) => holder !== holderName(member));
  });
  process.stdout.write(`${id} is drained; stop it, or restart it to trade again\n`);
}

async function rebalance(fleet: OutsideFleet, options: Options): Promise<void> {
  const { store, keys } = fleet;
  const { pins } = await fleet.view();
  const deletions = [...pins.keys()].map((symbol) => ({ kind: "delete" as const, key: keys.pin(symbol) }));
  // One transaction has a limit of 128 operations.
  for (let from = 0; from < deletions.length; from += 100)
    await store.write([], deletions.slice(from, from + 100));
  await waitUntil(options, "symbols still move", async () => {
    const { problems } = await readStatus(fleet);
    return !problems.some((problem) => problem.includes(": moves to seat"));
  });
  process.stdout.write(`every symbol is where the ring puts it (${pins.size} moves ended)\n`);
}

async function readStatus({ config, storage, store, keys, scene }: OutsideFleet): Promise<FleetStatus> {
  const [seen, centre, claims, bots, lastChanges] = await Promise.all([
    scene(),
    new ConfigCentre(store, config.coordination.fleet).state(),
    storage.listClaims(),
    storage.listBots(),
    storage.lastChanges(),
  ]);
  const timeLeft = new Map<string, number>();
  for (const { id } of silentMembers(seen.view)) {
    const left = await store.timeLeft(keys.member(id));
    if (left !== undefined) timeLeft.set(id, left);
  }
  return fleetStatus({
    fleet: config.coordination.fleet,
    view: seen.view,
    timeLeft,
    centre,
    moves: readMoves(seen.keys, seen.entries),
    symbols: config.trading.symbols.map(({ symbol }) => symbol),
    claims,
    bots,
    lastChanges,
    now: Date.now(),
  });
}

async function showStatus(fleet: OutsideFleet, { watch, json }: Options): Promise<void> {
  const stopping = new AbortController();
  process.once("SIGINT", () => stopping.abort());
  for (;;) {
    const status = await readStatus(fleet);
    if (json) process.stdout.write(`${JSON.stringify(status, null, watch ? 0 : 2)}\n`);
    else process.stdout.write(`${watch ? CLEAR : ""}${formatStatus(status)}\n`);
    if (!watch || stopping.signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, WATCH_MS);
      stopping.signal.addEventListener("abort", () => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (stopping.signal.aborted) return;
  }
}

function formatStatus({ fleet, instances, symbols, config, moves, left, problems }: FleetStatus): string {
  const text = (value: string | number | undefined): string => (value === undefined ? "-" : String(value));
  const age = (ms: number | undefined): string => (ms === undefined ? "-" : `${Math.round(ms / 1000)} s`);
  return [
    `fleet ${fleet}`,
    ...formatConfigStatus(config, Date.now()).map((line) => `config: ${line}`),
    "",
    formatTable(
      ["instance", "role", "seat", "symbols", "load", "version", "config", "heartbeats at"],
      instances.map((one) =>
        [one.id, one.role, one.seat, one.symbols, one.load, one.version, one.config, one.address].map(text),
      ),
    ),
    "",
    formatTable(
      ["symbol", "seat", "owner", "epoch", "mode", "orders", "fills", "profit", "last event"],
      symbols.map((one) => [
        ...[one.symbol, one.seat, one.owner, one.epoch, one.mode, one.orders, one.fills, one.profit].map(
          text,
        ),
        age(one.idleMs),
      ]),
    ),
    "",
    ...moves.map(formatMove),
    ...left,
    ...(problems.length === 0 ? ["all is well"] : problems.map((problem) => `! ${problem}`)),
  ].join("\n");
}

function formatMove({ symbol, from, to, state, ageMs }: MoveStatus): string {
  const age = `${Math.round(ageMs / 1000)} s ago`;
  switch (state) {
    case "proposed":
      return `> ${symbol} makes seat ${from} hot: quantmesh symbols move ${symbol} --to ${to}, or quantmesh rebalance --hot`;
    case "moved":
      return `> ${symbol} was moved to seat ${to} ${age}`;
    case "rolledBack":
      return `> ${symbol} was rolled back ${age}: seat ${to} did not take it over`;
    default:
      return assertNever(state);
  }
}
