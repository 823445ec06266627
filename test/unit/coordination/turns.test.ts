/** Work that is done a few at a time. */
import { describe, expect, it } from "vitest";
import { Turns } from "../../../src/coordination/turns.ts";

/** Lets what waits for nothing but its turn come to its end. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

/** Five works that are asked for at once, two at a time. */
function five(): { readonly turns: Turns; readonly begun: number[]; end(work: number, error?: Error): void } {
  const turns = new Turns(2);
  const begun: number[] = [];
  const ends = new Map<number, (error?: Error) => void>();
  for (let work = 1; work <= 5; work += 1) {
    const running = turns.run(async () => {
      begun.push(work);
      await new Promise<void>((resolve, reject) =>
        ends.set(work, (error) => (error ? reject(error) : resolve())),
      );
    });
    running.catch(() => undefined);
  }
  return { turns, begun, end: (work, error) => ends.get(work)?.(error) };
}

describe("turns", () => {
  it("begin in the order of asking, each when one before has ended or failed", async () => {
    const { begun, end } = five();
    await settle();
    expect(begun).toEqual([1, 2]);

    end(2);
    await settle();
    expect(begun).toEqual([1, 2, 3]);

    end(1, new Error("failed"));
    await settle();
    expect(begun).toEqual([1, 2, 3, 4]);
  });

  it("begin all at once when they are hurried, and few at a time again after that", async () => {
    const { turns, begun, end } = five();
    await settle();

    turns.hurry();
    await settle();
    expect(begun).toEqual([1, 2, 3, 4, 5]);

    void turns.run(async () => void begun.push(6));
    for (const work of [1, 2, 3]) end(work);
    await settle();
    expect(begun).toEqual([1, 2, 3, 4, 5]);
    end(4);
    await settle();
    expect(begun).toEqual([1, 2, 3, 4, 5, 6]);
  });
});
