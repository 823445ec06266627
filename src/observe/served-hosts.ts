/** Whom the web server answers: guards against pages of foreign names that resolve to this machine (DNS rebinding). */
import { isIP } from "node:net";

/**
 * Tells whether a Host header names this server: one of `names`, in any case, or any address, with or without a port.
 * An address is safe: a foreign page is rebound under its own name, never under a bare address.
 */
export function servedHosts(names: readonly string[]): (header: string | undefined) => boolean {
  const served = new Set(names.map((name) => name.toLowerCase()));
  return (header = "") => {
    const host = header.replace(/:\d+$/, "").toLowerCase();
    return served.has(host) || isAddress(host);
  };
}

/** True of `192.0.2.1` and `[2001:db8::1]`. */
function isAddress(host: string): boolean {
  const inner = /^\[(.+)\]$/.exec(host)?.[1];
  return inner === undefined ? isIP(host) === 4 : isIP(inner) === 6;
}
