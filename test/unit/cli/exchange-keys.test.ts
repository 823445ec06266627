/** Where the keys of an exchange come from, and that nothing prints them. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { readKeys } from "../../../src/cli/exchange-keys.ts";
import { Secret } from "../../../src/domain/secret.ts";

const folder = mkdtempSync(join(tmpdir(), "quantmesh-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const CANARY = "canary1234567890";

function keyFile(text: string, mode = 0o600): string {
  const file = join(folder, `keys-${Math.random()}`);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

describe("the keys of an exchange", () => {
  it("come from the config first, then from the file, then from the environment", () => {
    const env = { BINANCE_API_KEY: "env", BINANCE_SECRET_KEY: "s", OKX_API_KEY: "other" };
    const key_file = keyFile("# mine\n\napi_key = file\nsecret_key=a=b\npassphrase=p\n");

    const inline = readKeys("binance", { api_key: "config", secret_key: "s", key_file }, env);
    const filed = readKeys("binance", { key_file }, env);

    expect(inline?.apiKey.reveal()).toBe("config");
    expect([filed?.apiKey, filed?.secret, filed?.passphrase].map((one) => one?.reveal())).toEqual([
      "file",
      "a=b",
      "p",
    ]);
    expect(readKeys("binance", {}, env)?.apiKey.reveal()).toBe("env");
    expect(readKeys("kraken", {}, env)).toBeUndefined();
  });

  it("are refused where others may read the file", () => {
    for (const mode of [0o640, 0o604, 0o660]) {
      const key_file = keyFile(`api_key=${CANARY}\nsecret_key=s\n`, mode);
      expect(() => readKeys("binance", { key_file }, {})).toThrow(`chmod 600 ${key_file}`);
    }
  });

  it.each([
    ["no such file", () => join(folder, "none"), "cannot read"],
    ["an unknown line", () => keyFile(`apikey=${CANARY}`), "entry 1 of"],
    ["half of them", () => keyFile(`api_key=${CANARY}`), "one of them is missing"],
  ])("are refused without being repeated: %s", (_name, file, reason) => {
    const read = () => readKeys("binance", { key_file: file() }, {});

    expect(read).toThrow(reason);
    expect(read).not.toThrow(CANARY);
  });

  it("refuses a key of the environment without its secret", () => {
    expect(() => readKeys("binance", {}, { BINANCE_API_KEY: CANARY })).toThrow("one of them is missing");
  });
});

describe("a secret", () => {
  it("is printed by nothing", () => {
    const secret = new Secret(CANARY);
    const holder = { secret, list: [secret] };

    const prints = [
      String(secret),
      `${secret}`,
      JSON.stringify(holder),
      inspect(holder, { depth: 9, showHidden: true }),
      Object.values(secret).join(),
      JSON.stringify(structuredClone({ ...secret })),
    ];

    expect(prints.filter((text) => text.includes(CANARY))).toEqual([]);
    expect(secret.reveal()).toBe(CANARY);
  });
});
