/** The import table of ARCHITECTURE.md as data, and the function that finds what breaks it. */
import { isBuiltin } from "node:module";

export interface SourceFile {
  /** Relative to `src`, with `/`. */
  readonly path: string;
  /** Module specifiers as written. */
  readonly imports: readonly string[];
}

interface Rule {
  /** Files that this rule is for; the longest matching prefix counts. */
  readonly under: string;
  /** Files or folders of `src` that they may import, besides `under` itself. */
  readonly mayImport: readonly string[];
  /** Packages, each with the folder under which alone it may be used. */
  readonly packages: Readonly<Record<string, string>>;
  /** Node's own modules: all, or those named. */
  readonly builtins: "all" | readonly string[];
}

const PORT_FILES = ["exchange/exchange.ts", "lock/lock.ts", "storage/storage.ts"];
/** For every folder that writes files. */
const MAKE_FOLDERS = "storage/make-folders.ts";
const NOTHING = {};

export const RULES: readonly Rule[] = [
  { under: "domain/", mayImport: [], packages: NOTHING, builtins: [] },
  { under: "strategy/", mayImport: ["domain/"], packages: NOTHING, builtins: [] },
  {
    under: "venue/",
    mayImport: ["domain/", MAKE_FOLDERS],
    packages: { fastify: "venue/server/", ws: "venue/server/" },
    builtins: "all",
  },
  { under: "venue/matching/", mayImport: ["domain/"], packages: NOTHING, builtins: [] },
  {
    under: "exchange/",
    mayImport: ["domain/"],
    packages: { ccxt: "exchange/ccxt/", "rate-limiter-flexible": "exchange/limits/" },
    builtins: "all",
  },
  {
    under: "exchange/sim/",
    mayImport: ["domain/", MAKE_FOLDERS, "exchange/exchange.ts", "venue/matching/", "venue/market/"],
    packages: NOTHING,
    builtins: "all",
  },
  {
    under: "lock/",
    mayImport: ["domain/", "storage/storage.ts"],
    packages: { ioredis: "lock/", redlock: "lock/", etcd3: "lock/" },
    builtins: "all",
  },
  {
    under: "storage/",
    mayImport: ["domain/"],
    packages: {
      kysely: "storage/",
      "better-sqlite3": "storage/",
      pg: "storage/",
      mysql2: "storage/",
      "pg-copy-streams": "storage/",
    },
    builtins: "all",
  },
  {
    under: "coordination/",
    mayImport: ["domain/", ...PORT_FILES],
    packages: { etcd3: "coordination/" },
    builtins: ["node:crypto", "node:net", "node:tls"],
  },
  {
    under: "runner/",
    mayImport: ["domain/", "strategy/", "coordination/", ...PORT_FILES],
    packages: NOTHING,
    builtins: [],
  },
  {
    under: "backtest/",
    mayImport: ["domain/", MAKE_FOLDERS, "strategy/", "venue/matching/", "venue/market/"],
    packages: NOTHING,
    builtins: "all",
  },
  { under: "backtest/history/", mayImport: ["domain/", MAKE_FOLDERS], packages: NOTHING, builtins: "all" },
  {
    under: "observe/",
    mayImport: ["domain/"],
    packages: { "prom-client": "observe/", fastify: "observe/", pino: "observe/" },
    builtins: "all",
  },
  {
    under: "config/",
    mayImport: ["domain/"],
    packages: { zod: "config/", yaml: "config/" },
    builtins: "all",
  },
  {
    under: "cli/",
    mayImport: [""],
    packages: { commander: "cli/", "cli-progress": "cli/", yaml: "cli/" },
    builtins: "all",
  },
];

/** Modules that one file of a folder may use at most: the network stays in one place. */
const ONE_FILE_ONLY = [
  { under: "coordination/", modules: ["etcd3"] },
  { under: "coordination/", modules: ["node:net", "node:tls"] },
];

/** Every import that the table forbids, as a sentence. */
export function findViolations(files: readonly SourceFile[]): readonly string[] {
  const paths = new Set(files.map(({ path }) => path));
  return [
    ...files.flatMap((file) =>
      file.imports.flatMap((specifier) => {
        const reason = judge(file.path, specifier, paths);
        return reason === undefined ? [] : [`${file.path} imports ${specifier}: ${reason}`];
      }),
    ),
    ...ONE_FILE_ONLY.flatMap(({ under, modules }) => {
      const users = files.filter(
        ({ path, imports }) => path.startsWith(under) && imports.some((name) => modules.includes(name)),
      );
      if (users.length < 2) return [];
      return [
        `${users.map(({ path }) => path).join(", ")}: only one file of ${under} may use ${modules.join(", ")}`,
      ];
    }),
  ];
}

function judge(from: string, specifier: string, paths: ReadonlySet<string>): string | undefined {
  const rule = ruleOf(from);
  if (!rule) return "no rule for this folder";
  if (specifier.startsWith(".")) return judgeFile(from, specifier, rule, paths);
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith("node:")) return `write node:${specifier}`;
    return rule.builtins === "all" || rule.builtins.includes(specifier)
      ? undefined
      : `${rule.under} does no I/O`;
  }
  const home = rule.packages[packageOf(specifier)];
  if (home === undefined) return `${rule.under} may not use this package`;
  return from.startsWith(home) ? undefined : `only ${home} may use this package`;
}

function judgeFile(
  from: string,
  specifier: string,
  rule: Rule,
  paths: ReadonlySet<string>,
): string | undefined {
  const target = new URL(specifier, `file:///${from}`).pathname.slice(1);
  if (!paths.has(target)) return "no such file in src";
  const isAllowed = [rule.under, ...rule.mayImport].some((prefix) => target.startsWith(prefix));
  return isAllowed ? undefined : `${rule.under} may not import ${target}`;
}

function ruleOf(path: string): Rule | undefined {
  return RULES.filter(({ under }) => path.startsWith(under)).sort(
    (a, b) => b.under.length - a.under.length,
  )[0];
}

function packageOf(specifier: string): string {
  const [scope = "", name = ""] = specifier.split("/");
  return scope.startsWith("@") ? `${scope}/${name}` : scope;
}
