import { defineConfig } from "vitest/config";

const suite = (name: string, testTimeout: number, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: 60_000, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      suite("unit", 30_000),
      suite("contract", 60_000),
      suite("integration", 120_000),
      suite("simulation", 600_000),
      suite("e2e", 1_200_000, { globalSetup: ["test/support/build-once.ts"] }),
    ],
    reporters: ["default", "./test/support/count-reporter.ts"],
  },
});
