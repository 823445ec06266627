/** Config files: the one that comes with quantmesh, and files that cannot be read. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { loadConfig, loadConfigWithWarnings } from "../../../src/config/load-config.ts";

const DEFAULT_CONFIG = join(import.meta.dirname, "../../../config/quantmesh.yaml");

describe("loadConfig", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quantmesh-config-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    vi.unstubAllEnvs();
  });

  it("loads the config that `npm start` runs", async () => {
    const config = await loadConfig(DEFAULT_CONFIG);

    expect(config.trading.symbols).toEqual([
      {
        exchange: "sim",
        symbol: "BTC/USDT",
        lattice: "range",
        lower: "29000",
        upper: "31000",
        grids: 40,
        spacing: "arithmetic",
        size: { kind: "order_quantity", amount: "100" },
        initial: "buy",
        order_type: "limit",
        post_only_fallback_after: 3,
        partial_fill_cancel_ratio: "0.5",
        order_cleanup_threshold: 1000,
        margin_lock_duration_seconds: 10,
      },
    ]);
    expect(config.exchanges.sim.symbols["BTC/USDT"]).toMatchObject({ tick_size: "0.01", min_notional: "5" });
  });

  it("finds nothing in it to warn about", async () => {
    const { warnings } = await loadConfigWithWarnings(DEFAULT_CONFIG);

    expect(warnings).toEqual([]);
  });

  it("takes overrides and variables from the environment of the process", async () => {
    const file = join(folder, "c.yaml");
    writeFileSync(file, readFileSync(DEFAULT_CONFIG, "utf8").replace("quantmesh-1", "${TEST_INSTANCE_NAME}"));
    vi.stubEnv("TEST_INSTANCE_NAME", "blue");
    vi.stubEnv("QUANTMESH__WEB__PORT", "1234");

    const config = await loadConfig(file);

    expect(config.instance.id).toBe("blue");
    expect(config.web.port).toBe(1234);
  });

  it("says that there is no such file", async () => {
    const file = join(folder, "absent.yaml");

    await expect(loadConfig(file)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `cannot read config ${file}: no such file`,
    });
  });

  it("says that a folder is no file", async () => {
    await expect(loadConfig(folder)).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: `cannot read config ${folder}: it is a folder`,
    });
  });
});
