/** Which addresses a key may be used from: single ones and ranges like 10.0.0.0/8 or fd00::/8. */
import { BlockList, isIP } from "node:net";
import { QuantmeshError } from "../../domain/errors.ts";

export class AddressList {
  readonly #ranges = new BlockList();

  /** Throws CONFIG_INVALID where one is neither an address nor a range. */
  constructor(ranges: readonly string[]) {
    for (const text of ranges) {
      const [address = "", length, ...more] = text.split("/");
      const family = familyOf(address);
      if (family === undefined || more.length > 0 || !isPrefix(length, family)) {
        const message = `"${text}" is neither an IP address nor a range like 10.0.0.0/8 or fd00::/8`;
        throw new QuantmeshError("CONFIG_INVALID", message);
      }
      if (length === undefined) this.#ranges.addAddress(address, family);
      else this.#ranges.addSubnet(address, Number(length), family);
    }
  }

  /** Whether `ip`, as a socket tells it, is on the list. */
  has(ip: string): boolean {
    const family = familyOf(ip);
    return family !== undefined && this.#ranges.check(ip, family);
  }
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = isIP(address);
  return version === 0 ? undefined : version === 4 ? "ipv4" : "ipv6";
}

function isPrefix(length: string | undefined, family: "ipv4" | "ipv6"): boolean {
  if (length === undefined) return true;
  return /^\d{1,3}$/.test(length) && Number(length) <= (family === "ipv4" ? 32 : 128);
}
