/** `quantmesh venue` as a user starts it: alone, with a file, and with mistakes. */
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { callRaw, callSigned } from "../support/venue-client.ts";
import type { VenueCommand } from "../support/venue-process.ts";
import { runVenueCommand } from "../support/venue-process.ts";

const FREE_PORTS = ["--port", "0", "--admin-port", "0"];
const started: VenueCommand[] = [];
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quantmesh-venue-command-"));
});

afterEach(async () => {
  for (const command of started.splice(0)) await command.stop("SIGKILL");
  rmSync(folder, { recursive: true });
});

describe("quantmesh venue", () => {
  it("starts something useful by itself, says how to connect, and keeps its key to its owner", async () => {
    const command = start(FREE_PORTS);
    const said = await command.said(/journal +\S+/);
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? "";
    const file = join(folder, "data/venue/keys.yaml");
    expect(said).toContain("data/venue/keys.yaml");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const [key] = parse(readFileSync(file, "utf8")) as readonly { api_key: string; secret_key: string }[];
    const signer = { apiKey: key?.api_key ?? "", secret: key?.secret_key ?? "" };
    expect(said + command.errors()).not.toContain(signer.secret);
    const { json } = await callSigned({ url }, "GET", "/api/v3/account", {}, signer);
    expect(json).toMatchObject({
      balances: expect.arrayContaining([
        { asset: "USDT", free: "100000.00000000", locked: "0.00000000" },
      ]) as unknown,
    });
    const info = (await callRaw({ url }, "GET", "/api/v3/exchangeInfo")).json;
    expect(info).toMatchObject({ symbols: [{ symbol: "BTCUSDT" }, { symbol: "ETHUSDT" }] });
    const restrictions = await callSigned({ url }, "GET", "/sapi/v1/account/apiRestrictions", {}, signer);
    expect(restrictions.json).toMatchObject({ enableWithdrawals: false });
    expect(await command.stop("SIGTERM")).toBe(0);
  });

  it("ends at once when it is told to, whoever is connected", async () => {
    const command = start(FREE_PORTS);
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(await command.said(/journal +\S+/))?.[0] ?? "";
    const port = Number(new URL(url).port);
    const sockets = ["", "GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n", "GET /api/v3/ti"].map((sent) => {
      const socket = connect(port, "127.0.0.1").on("error", () => undefined);
      socket.write(sent);
      return socket;
    });
    await once(sockets[1] as Socket, "data");
    const closed = Promise.all(sockets.map(async (socket) => once(socket.resume(), "close")));
    const begun = performance.now();
    expect(await command.stop("SIGTERM")).toBe(0);
    await closed;
    // An idle connection would end by itself later.
    expect(performance.now() - begun).toBeLessThan(30_000);
  });

  it("lets one process at a time have a journal, and refuses another venue's", async () => {
    const first = start([...FREE_PORTS]);
    await first.said(/journal/);
    const second = start([...FREE_PORTS]);
    expect(await second.ended()).toBe(1);
    expect(second.errors()).toMatch(/another quantmesh process is running/);
    await first.stop("SIGKILL");
    writeFileSync(join(folder, "other.yaml"), "maker_fee: 0.002\n");
    const other = start(["-c", "other.yaml", ...FREE_PORTS]);
    expect(await other.ended()).toBe(2);
    expect(other.errors()).toMatch(/journal of a venue with other symbols, fees or users/);
  });

  it.each([
    { text: "ports: 1\n", says: /venue\.yaml:1: ports: unknown key "ports"; did you mean "port"\?/ },
    { text: "port: 99999\n", says: /venue\.yaml:1: port: must be a whole number from 0 to 65535/ },
    {
      text: "keys:\n  - { api_key: my-key, secret_key: hidden-secret }\n",
      says: /keys\[0\]\.secret_key: write \$\{NAME\} and set that environment variable/,
    },
    {
      text: 'keys:\n  - { api_key: my-key, secret_key: "${HOME}", allowed_ips: [127.0.0.1, 10.0.0.0/33] }\n',
      says: /allowed_ips\[1\]: must be an address or a range like 10\.0\.0\.0\/8/,
    },
    {
      text: "keys_file: keys.yaml\n",
      says: /keys\.yaml holds secrets and others may read it: chmod 600 keys\.yaml/,
    },
    {
      text: 'symbols: { BTC/USDT: { tick_size: 0.01, lot_size: 0.00001, market: { type: manual, start_price: "1.001" } } }\n',
      says: /symbols\.BTC\/USDT: 1\.001 is not a multiple of the tick size 0\.01/,
    },
    {
      text: "symbols: { BTC/USDT: { tick_size: 0.01, lot_size: 0.0000001, market: { type: manual, start_price: 1 } } }\n",
      says: /multiples of 0\.00000001/,
    },
  ])("refuses $text", async ({ text, says }) => {
    writeFileSync(join(folder, "venue.yaml"), text);
    writeFileSync(join(folder, "keys.yaml"), "- { api_key: my-key, secret_key: hidden-secret }\n");
    chmodSync(join(folder, "keys.yaml"), 0o644);
    const command = start(["-c", "venue.yaml", ...FREE_PORTS]);
    expect(await command.ended()).toBe(2);
    expect(command.errors()).toMatch(says);
    expect(command.errors()).not.toContain("hidden-secret");
    expect(existsSync(join(folder, "data/venue/venue.json"))).toBe(false);
  });
});

function start(args: readonly string[]): VenueCommand {
  const command = runVenueCommand(args, folder);
  started.push(command);
  return command;
}
