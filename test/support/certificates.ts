/** A certificate authority of a test's own, made with openssl. */
import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { serverFolder } from "./servers/private-server.ts";

/** PEM files, and what is in them. */
export interface Identity {
  readonly files: { readonly ca: string; readonly certificate: string; readonly key: string };
  readonly pem: { readonly ca: string; readonly certificate: string; readonly key: string };
}

export class CertificateAuthority {
  readonly #folder = serverFolder("certificates");

  constructor() {
    const files = ["-keyout", this.#path("ca.key"), "-out", this.#path("ca.pem")];
    openssl(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test", ...files]);
  }

  /** A certificate for this machine, signed by this authority. */
  issue(name: string): Identity {
    const [key, request, certificate] = [`${name}.key`, `${name}.csr`, `${name}.pem`].map((file) =>
      this.#path(file),
    ) as [string, string, string];
    const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
    openssl(["req", "-newkey", "rsa:2048", "-nodes", ...subject, "-keyout", key, "-out", request]);
    const ca = this.#path("ca.pem");
    const signer = ["-CA", ca, "-CAkey", this.#path("ca.key"), "-CAcreateserial", "-days", "2"];
    openssl(["x509", "-req", ...signer, "-copy_extensions", "copy", "-in", request, "-out", certificate]);
    const read = (file: string): string => readFileSync(file, "utf8");
    return {
      files: { ca, certificate, key },
      pem: { ca: read(ca), certificate: read(certificate), key: read(key) },
    };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true });
  }

  #path(file: string): string {
    return join(this.#folder, file);
  }
}

function openssl(args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
