/** Ends a test run with one plain line `N passed, N failed, N skipped`, and names what was skipped. */
import type { Reporter, TestModule } from "vitest/node";

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0;
    let failed = errors.length;
    const skipped: string[] = [];
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") passed += 1;
        else if (state === "failed") failedHere += 1;
        else skipped.push(test.fullName);
      }
      // A file that cannot be loaded, or whose set-up fails, has no failed test.
      failed += module.state() === "failed" ? Math.max(1, failedHere) : failedHere;
    }
    for (const name of skipped) console.log(`skipped: ${name}`);
    console.log(
      `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
    );
  }
}
