/** Encrypted connections to database servers: what each mode believes, and what it refuses. */
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createStorage } from "../../src/storage/create-storage.ts";
import { parseDsn } from "../../src/storage/dsn.ts";
import type { DatabaseServer } from "../support/servers/database-server.ts";
import { startMariadb } from "../support/servers/mariadb.ts";
import { startPostgres } from "../support/servers/postgres.ts";
import type { ServerProgram } from "../support/servers/private-server.ts";
import { describeWithServers } from "../support/servers/private-server.ts";

describeTls("postgres", "postgres", "sslmode", startPostgres, (certificate, key) => ({
  ssl: "on",
  ssl_cert_file: certificate,
  ssl_key_file: key,
}));
describeTls("mariadbd", "mysql", "tls", startMariadb, (certificate, key) => ({
  "ssl-cert": certificate,
  "ssl-key": key,
  "require-secure-transport": "off",
}));

function describeTls(
  program: ServerProgram,
  owner: string,
  option: "sslmode" | "tls",
  start: (options: { readonly settings: Readonly<Record<string, string>> }) => Promise<DatabaseServer>,
  settings: (certificate: string, key: string) => Readonly<Record<string, string>>,
): void {
  describeWithServers(
    [program],
    `a ${program} server with a certificate of its own making for "localhost"`,
    () => {
      let folder: string;
      let server: DatabaseServer;
      let dsn: string;
      beforeAll(async () => {
        folder = mkdtempSync(join(tmpdir(), "quantmesh-tls-"));
        chmodSync(folder, 0o755);
        const [certificate, key] = [join(folder, "certificate.pem"), join(folder, "key.pem")];
        const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
        const files = ["-keyout", key, "-out", certificate];
        execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...subject, ...files], {
          stdio: "ignore",
        });
        chmodSync(key, 0o600);
        if (process.getuid?.() === 0) execFileSync("chown", [owner, key]);
        server = await start({ settings: settings(certificate, key) });
        dsn = (await server.createDatabase()).replace("127.0.0.1", "localhost");
      });
      afterAll(async () => {
        await server.stop();
        rmSync(folder, { recursive: true });
      });

      const open = async (options: string, address = dsn): Promise<void> =>
        (await createStorage(parseDsn(`${address}?${options}`), { limitMs: 5_000 })).close();
      const full = option === "sslmode" ? "verify-full" : "true";
      const unverified = option === "sslmode" ? "require" : "skip-verify";
      const authority = (): string => `sslrootcert=${join(folder, "certificate.pem")}`;

      it("is believed without proof where that was asked for", async () => {
        await expect(open(`${option}=${unverified}`)).resolves.toBeUndefined();
      });

      it("is refused where it must prove itself and nobody vouches for it", async () => {
        await expect(open(`${option}=${full}`)).rejects.toMatchObject({
          code: "STORAGE_UNAVAILABLE",
          message: expect.stringMatching(/self-signed certificate/),
        });
      });

      it("is believed where the given authority vouches for it, under its own name only", async () => {
        await expect(open(`${option}=${full}&${authority()}`)).resolves.toBeUndefined();
        const byAddress = dsn.replace("localhost", "127.0.0.1");
        await expect(open(`${option}=verify-ca&${authority()}`, byAddress)).resolves.toBeUndefined();
        await expect(open(`${option}=${full}&${authority()}`, byAddress)).rejects.toMatchObject({
          code: option === "sslmode" ? "STORAGE_UNAVAILABLE" : "CONFIG_INVALID",
        });
      });

      it("is not asked where a certificate's file cannot be read", async () => {
        await expect(open(`${option}=${full}&sslrootcert=/nowhere.pem`)).rejects.toMatchObject({
          code: "CONFIG_INVALID",
          message: "database.dsn: sslrootcert: cannot read /nowhere.pem",
        });
      });
    },
  );
}
