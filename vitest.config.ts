import { defineConfig } from "vitest/config";

const suite = (name: string, testTimeout: number, extra: object) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: 60_000, ...extra },
});

/** They wait for servers and the disk more than they compute. */
const TOGETHER = { maxWorkers: 3, sequence: { groupOrder: 0 } };
/** A fleet is up to ten processes, which keep two cores busy. */
const ALONE = { maxWorkers: 1, sequence: { groupOrder: 1 } };
const BUILT = { globalSetup: ["test/support/build-once.ts"] };

export default defineConfig({
  test: {
    projects: [
      suite("unit", 120_000, TOGETHER),
      suite("contract", 60_000, TOGETHER),
      suite("integration", 120_000, TOGETHER),
      suite("simulation", 600_000, TOGETHER),
      suite("e2e", 1_200_000, { ...TOGETHER, ...BUILT }),
      suite("fleet", 1_200_000, { ...ALONE, ...BUILT }),
    ],
    reporters: ["default", "./test/support/count-reporter.ts"],
  },
});
