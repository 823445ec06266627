/** A config for people's eyes. */
import { describe, expect, it } from "vitest";
import { redactConfig } from "../../../src/config/redact-config.ts";

describe("redactConfig", () => {
  it.each([
    "api_key",
    "secret_key",
    "passphrase",
    "password",
    "bot_token",
    "secret",
    "gemini_api_key",
    "webhook",
  ])("hides %s, however deep, whatever it holds", (key) => {
    const config = { a: [{ [key]: "hunter2", id: "b" }], [key]: { user: "hunter2" } };

    expect(redactConfig(config)).toEqual({ a: [{ [key]: "[redacted]", id: "b" }], [key]: "[redacted]" });
  });

  it.each([
    [
      "postgres://user:hunter2@db.example:5432/q?sslmode=require",
      "postgres://[redacted]@db.example:5432/q?sslmode=require",
    ],
    ["postgres://user:hun@ter2/x@db.example/q", "postgres://[redacted]@db.example/q"],
    ["user:hunter2@tcp(127.0.0.1:3306)/q", "[redacted]@tcp(127.0.0.1:3306)/q"],
    ["host=db user=u password=hunter2 dbname=q", "host=db user=u password=[redacted] dbname=q"],
    ["host=db password='hunter2 hunter2' dbname=q", "host=db password=[redacted] dbname=q"],
    ["postgres://db/q?user=u&password=hunter2&x=1", "postgres://db/q?user=u&password=[redacted]&x=1"],
    ["./data/quantmesh.db", "./data/quantmesh.db"],
    ["/srv/a@b/quantmesh.db", "/srv/a@b/quantmesh.db"],
  ])("shows the address %s as %s", (dsn, shown) => {
    expect(redactConfig({ database: { dsn } })).toEqual({ database: { dsn: shown } });
  });

  it("hides user and password of any address", () => {
    expect(redactConfig({ hosts: ["http://user:hun@ter2@127.0.0.1:2379/a@b"] })).toEqual({
      hosts: ["http://[redacted]@127.0.0.1:2379/a@b"],
    });
  });

  it("leaves everything else, and the config itself, as it is", () => {
    const config = { web: { port: 1, enabled: true, allowed_hosts: ["a:b@c"] }, x: undefined, api_key: "k" };
    const before = structuredClone(config);

    expect(redactConfig(config)).toEqual({ ...before, api_key: "[redacted]" });
    expect(config).toEqual(before);
  });
});
