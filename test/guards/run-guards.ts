/** Plants one bug at a time in a copy of the project and requires the tests that guard against it to fail. */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const COPIED = ["src", "test", "package.json", "tsconfig.json", "vitest.config.ts"];
/** Each of these lines at the head of a patch names one test by its file and title. */
const HEADER = /^# must fail: (\S+) "(.+)"$/gm;
const RUN_LIMIT_MS = 120_000;
/** A guard that holds today holds tomorrow. */
const SEED = "1";

interface NamedTest {
  readonly file: string;
  readonly title: string;
}

/** One planted bug and the tests that must notice it. */
interface Guard {
  readonly name: string;
  readonly patch: string;
  readonly tests: readonly NamedTest[];
}

type Verdict = "failed" | "passed" | "missing";

const root = resolve(import.meta.dirname, "../..");
process.exitCode = (await runGuards()) === 0 ? 0 : 1;

/** Returns how many guards did not hold. */
async function runGuards(): Promise<number> {
  const guards = readGuards(import.meta.dirname);
  const folder = mkdtempSync(join(tmpdir(), "quantmesh-guards-"));
  try {
    for (const name of COPIED) cpSync(join(root, name), join(folder, name), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "dir");
    const tests = guards.flatMap((guard) => guard.tests);
    const healthy = await runTests(folder, tests);
    let failed = 0;
    for (const guard of guards) {
      const started = performance.now();
      const problems = complaints(guard, healthy, "passed", "without the bug");
      if (problems.length === 0) problems.push(...(await plant(folder, guard)));
      if (problems.length > 0) failed += 1;
      print(guard, problems, performance.now() - started);
    }
    console.log(`${guards.length - failed} passed, ${failed} failed`);
    return failed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Why the guard does not hold; empty where it does. */
async function plant(folder: string, guard: Guard): Promise<readonly string[]> {
  const apply = await run("git", ["apply", guard.patch], folder);
  if (!apply.isDone) return [`the patch does not apply: ${apply.output.trim()}`];
  const verdicts = await runTests(folder, guard.tests);
  const revert = await run("git", ["apply", "--reverse", guard.patch], folder);
  if (!revert.isDone) throw new Error(`${guard.name} cannot be taken back: ${revert.output}`);
  return complaints(guard, verdicts, "failed", "with the bug");
}

function complaints(
  { tests }: Guard,
  verdictOf: (test: NamedTest) => Verdict,
  wanted: Verdict,
  when: string,
): string[] {
  return tests
    .filter((test) => verdictOf(test) !== wanted)
    .map((test) => `"${test.title}" is ${verdictOf(test)} ${when}`);
}

function readGuards(from: string): readonly Guard[] {
  const names = readdirSync(from)
    .filter((name) => name.endsWith(".patch"))
    .sort();
  if (names.length === 0) throw new Error(`no patch in ${from}`);
  return names.map((name) => {
    const patch = join(from, name);
    const tests = [...readFileSync(patch, "utf8").matchAll(HEADER)].map(([, file = "", title = ""]) => ({
      file,
      title,
    }));
    if (tests.length === 0) throw new Error(`${name} names no test that must fail`);
    return { name, patch, tests };
  });
}

interface JsonReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

/** Runs only the named tests. A file that cannot be loaded has no test that failed: it is missing. */
async function runTests(folder: string, tests: readonly NamedTest[]): Promise<(test: NamedTest) => Verdict> {
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const files = [...new Set(tests.map(({ file }) => file))];
  const titles = tests.map(({ title }) => title.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  const vitest = join("node_modules", "vitest", "vitest.mjs");
  const options = ["--testNamePattern", `(${titles})$`, "--reporter=json", `--outputFile=${report}`];
  const { output } = await run(process.execPath, [vitest, "run", ...files, ...options], folder);
  const { testResults } = readReport(report, output);
  return ({ file, title }) => {
    const results = testResults.find(({ name }) => name.endsWith(`/${file}`))?.assertionResults ?? [];
    const status = results.find((result) => result.title === title)?.status;
    return status === "failed" || status === "passed" ? status : "missing";
  };
}

function readReport(file: string, output: string): JsonReport {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as JsonReport;
  } catch (cause) {
    throw new Error(`the tests ended without a report: ${output}`, { cause });
  }
}

function print({ name, tests }: Guard, problems: readonly string[], ms: number): void {
  const seconds = `${(ms / 1000).toFixed(1)} s`.padStart(7);
  console.log(`${problems.length === 0 ? "ok  " : "FAIL"} ${seconds}  ${name}`);
  for (const { file, title } of tests) console.log(`                 ${file} "${title}"`);
  for (const problem of problems) console.log(`                 → ${problem}`);
}

function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly isDone: boolean; readonly output: string }> {
  return new Promise((done) => {
    // A repository around the temporary folder is not the one that is patched.
    const env = { QUANTMESH_TEST_SEED: SEED, ...process.env, GIT_CEILING_DIRECTORIES: tmpdir() };
    execFile(command, args, { cwd, env, timeout: RUN_LIMIT_MS }, (error, stdout, stderr) => {
      done({ isDone: error === null, output: stdout + stderr });
    });
  });
}
