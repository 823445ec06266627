/** A checksum of a table's content that does not depend on the order of its rows. */

/** What a table holds: equal content gives equal fingerprints, in whatever order the rows come. */
export interface Fingerprint {
  readonly rows: number;
  /** 32 hexadecimal digits. */
  readonly checksum: string;
}

const LANE_1 = 0x9e3779b1;
const LANE_2 = 0x85ebca77;
const LANE_3 = 0xc2b2ae3d;
const LANE_4 = 0x27d4eb2f;
const NEW_LINE = 0x0a;

/**
 * Hashes each line to four words and adds each modulo 2^32: a sum, unlike an exclusive or, sees a row that is there
 * twice. It finds damage and mistakes; it is no defence against somebody who forges rows.
 */
export class LineChecksum {
  #rows = 0;
  #a = LANE_3 | 0;
  #b = LANE_4 | 0;
  readonly #sums = new Uint32Array(4);

  /** `text` may end in the middle of a line. */
  add(text: Uint8Array): void {
    let a = this.#a;
    let b = this.#b;
    for (let at = 0; at < text.length; at++) {
      const byte = text[at] as number;
      if (byte === NEW_LINE) {
        this.#endLine(a, b);
        a = LANE_3 | 0;
        b = LANE_4 | 0;
      } else {
        a = Math.imul(a ^ byte, LANE_1);
        a ^= a >>> 15;
        b = Math.imul((b ^ byte) + a, LANE_2);
        b ^= b >>> 13;
      }
    }
    this.#a = a;
    this.#b = b;
  }

  get fingerprint(): Fingerprint {
    const words = [...this.#sums].map((word) => word.toString(16).padStart(8, "0"));
    return { rows: this.#rows, checksum: words.join("") };
  }

  #endLine(a: number, b: number): void {
    this.#rows++;
    const high = mix(a ^ mix(b));
    const low = mix(b + high);
    this.#addWord(0, high);
    this.#addWord(1, low);
    this.#addWord(2, mix(high ^ LANE_1));
    this.#addWord(3, mix(low ^ LANE_2));
  }

  /** The array wraps modulo 2^32. */
  #addWord(index: number, word: number): void {
    this.#sums[index] = (this.#sums[index] as number) + word;
  }
}

/** The finaliser of MurmurHash3: each bit in changes about half of those that come out. */
function mix(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
