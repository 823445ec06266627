/** Readiness: every part answers in time, or the instance is not ready and says which part and why. */
import { describe, expect, it } from "vitest";
import type { Ping } from "../../../src/observe/health.ts";
import { createHealth } from "../../../src/observe/health.ts";

const answers: Ping = () => Promise.resolve();
const silent: Ping = () => new Promise(() => undefined);
const parts = (entries: Readonly<Record<string, Ping>>) => () => new Map(Object.entries(entries));

describe("health", () => {
  it("is ready where every part answers", async () => {
    const health = createHealth(parts({ database: answers, exchange: answers }));

    expect(await health.ready()).toEqual({
      ready: true,
      parts: {
        database: { ok: true, latencyMs: expect.any(Number) },
        exchange: { ok: true, latencyMs: expect.any(Number) },
      },
    });
  });

  it("is not ready where one part is silent for the limit, and names it", async () => {
    const health = createHealth(parts({ database: silent, exchange: answers }), { limitMs: 5 });

    expect(await health.ready()).toEqual({
      ready: false,
      parts: {
        database: { ok: false, latencyMs: expect.any(Number), error: "no answer within 5 ms" },
        exchange: { ok: true, latencyMs: expect.any(Number) },
      },
    });
  });

  it("waits for silent parts together, not one after the other", async () => {
    const silentParts = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`p${at}`, silent]));
    const started = performance.now();

    await createHealth(parts(silentParts), { limitMs: 500 }).ready();

    expect(performance.now() - started).toBeLessThan(20 * 500);
  });

  it.each<readonly [string, Ping]>([
    ["rejects", () => Promise.reject(new Error("refused by redis://u:hunter2@host"))],
    [
      "throws",
      () => {
        throw new Error("refused by redis://u:hunter2@host");
      },
    ],
  ])("tells why a part failed that %s, without its credentials", async (_, ping) => {
    const readiness = await createHealth(parts({ lock: ping })).ready();

    expect(readiness).toMatchObject({
      ready: false,
      parts: { lock: { ok: false, error: "refused by redis://[redacted]@host" } },
    });
  });

  it("asks a part once for all who ask at the same time, and anew afterwards", async () => {
    let pings = 0;
    const health = createHealth(
      parts({
        database: async () => {
          pings += 1;
        },
      }),
    );

    await Promise.all([health.ready(), health.ready(), health.ready()]);
    expect(pings).toBe(1);

    await health.ready();
    expect(pings).toBe(2);
  });

  it("recovers, and follows parts that come and go", async () => {
    const used = new Map<string, Ping>([["exchange", silent]]);
    const health = createHealth(() => used, { limitMs: 1 });
    expect((await health.ready()).ready).toBe(false);

    used.set("exchange", answers);
    used.set("lock", answers);

    expect(await health.ready()).toMatchObject({ ready: true, parts: { lock: { ok: true } } });
  });
});
