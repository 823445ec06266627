/** The command on a real exchange's dialect: what it checks, what it refuses, and one bot from start to Ctrl-C. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EXCHANGES } from "../../src/exchange/ccxt/exchange-table.ts";
import { endCommands, runCommand, startCommand } from "../support/command.ts";
import { readCheckedAudit } from "../support/venue-audit.ts";
import type { VenueProcess } from "../support/venue-process.ts";
import { VENUE_KEY, startVenueProcess } from "../support/venue-process.ts";

const CONFIG = "config.json";

describe("quantmesh on a real exchange", () => {
  let venue: VenueProcess;
  let cwd = "";
  beforeAll(async () => {
    venue = await startVenueProcess();
  });
  afterAll(async () => venue.server.stop());
  beforeEach(() => {
    cwd = mkdtempSync(join(tmpdir(), "quantmesh-exchanges-"));
  });
  afterEach(async () => {
    await endCommands();
    rmSync(cwd, { recursive: true, force: true });
  });

  /** Writes a config of one grid on `exchange`. */
  function configure(exchange: string, section: object): void {
    const config = {
      app: { current_exchange: exchange },
      exchanges: { [exchange]: section },
      trading: {
        symbols: [{ symbol: "BTCUSDT", lower: "59000", upper: "61000", grids: "4", order_quantity: "100" }],
      },
      web: { enabled: false },
    };
    writeFileSync(join(cwd, CONFIG), JSON.stringify(config));
  }
  const urls = (): object => ({ urls: { rest: venue.url, ws: venue.wsUrl } });

  it("lists what is known of each exchange, for people and for scripts", async () => {
    const text = await runCommand(["exchanges"], { cwd });
    const json = await runCommand(["exchanges", "--json"], { cwd });

    expect([text.code, json.code]).toEqual([0, 0]);
    for (const { id } of EXCHANGES) expect(text.stdout).toMatch(new RegExp(`^${id} `, "m"));
    const rows = JSON.parse(json.stdout) as readonly { readonly id: string; readonly safetyClass: number }[];
    expect(rows.find(({ id }) => id === "binance")).toMatchObject({ safetyClass: 2, settleMs: 2_000 });
    expect(rows.find(({ id }) => id === "coinbase")).toMatchObject({ safetyClass: 3 });
  });

  it("checks and plans a grid with the exchange's own rules and price, without keys", async () => {
    configure("binance", urls());

    const check = await runCommand(["config", "check", "-c", CONFIG], { cwd });
    const plan = await runCommand(["plan", "-c", CONFIG], { cwd });

    expect(check).toMatchObject({ code: 0, stdout: `${CONFIG}: ok, 1 grid\n`, stderr: "" });
    expect(plan.stdout).toContain("BTC/USDT  4 cells");
    expect(plan.stdout).toContain("start price       60000");
  });

  it("says in one line that nobody answers, and once what can be done", async () => {
    configure("binance", { urls: { rest: "http://127.0.0.1:9", ws: "ws://127.0.0.1:9" } });

    for (const command of ["config check", "run", "download-data"]) {
      const end = await runCommand([...command.split(" "), "-c", CONFIG], { cwd });

      expect(end.code, command).toBe(1);
      expect(end.stderr, command).toMatch(
        /^quantmesh: binance: markets: NetworkError; see that .* reaches binance, .*exchanges\.binance\.urls .*status page.*`quantmesh doctor -c FILE`.*\n$/,
      );
      expect(end.stdout.match(/status page/g), command).toBeNull();
    }
  });

  it.each([
    ["coinbase", "coinbase does not promise to refuse a client order id that it has seen"],
    ["kraken", "kraken takes ids of at most 18 characters"],
    ["okx", "okx could be traded safely, but this version has no tested table of its refusals"],
  ])("refuses to trade %s, with the reason", async (exchange, reason) => {
    configure(exchange, { mode: "live", api_key: "canary-key", secret_key: "canary-secret" });

    const end = await runCommand(["run", "-c", CONFIG], { cwd });

    expect(end.code).toBe(2);
    expect(end.stderr).toContain(reason);
    expect(end.stdout + end.stderr).not.toContain("canary");
  });

  it("trades until Ctrl-C, leaves its orders resting, and goes on where it stopped", async () => {
    writeFileSync(join(cwd, "keys"), `api_key=${VENUE_KEY.apiKey}\nsecret_key=${VENUE_KEY.secret}\n`, {
      mode: 0o600,
    });
    configure("binance", { mode: "live", key_file: "keys", ...urls() });
    const isFilled = ({ event }: { readonly event: string }): boolean => event === "order.filled";

    const first = startCommand(["run", "-c", CONFIG], { cwd });
    await first.line(isFilled);
    await first.line(({ event }) => event === "instance.started");
    await venue.admin.move("BTC/USDT", "59400");
    await first.linesMatching(isFilled, 2);
    const end = await first.interrupt();

    expect(end).toMatchObject({ code: 0, stderr: "" });
    expect(end.stdout).not.toContain(VENUE_KEY.secret);
    const { orders } = readCheckedAudit(venue.journal, "main");
    expect(orders.filter(({ status }) => status === "open").length).toBeGreaterThan(0);

    const again = startCommand(["run", "-c", CONFIG], { cwd });
    await again.line(({ event }) => event === "instance.started");
    await venue.admin.move("BTC/USDT", "60600");
    await again.line(isFilled);
    await again.interrupt();
    expect(again.lines.filter(({ event }) => event === "bot.created")).toEqual([]);
  });
});
