/** The web server's own list of names, on a real port. */
import { request } from "node:http";
import { expect, it } from "vitest";
import { startHttp } from "../../../src/observe/http.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";

it("answers to the names that it was given, to addresses, and to no other", async () => {
  const server = await startHttp({
    host: "127.0.0.1",
    port: 0,
    allowedHosts: ["bots.example.org"],
    registry: createMetrics().registry,
    health: { ready: async () => ({ ready: true, parts: {} }) },
  });
  const statusFor = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: server.port, path: "/health/live", headers: { host } };
      request(options, (response) => response.resume().on("end", () => resolve(response.statusCode)))
        .on("error", reject)
        .end();
    });

  try {
    expect(await statusFor("bots.example.org:443")).toBe(200);
    expect(await statusFor("192.0.2.7")).toBe(200);
    expect(await statusFor("evil.example")).toBe(403);
  } finally {
    await server.close();
  }
});
