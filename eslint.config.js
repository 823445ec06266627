// Few rules, each for a bug that costs money: lost promises, forgotten variants, impure cores, leaking types.
import tseslint from "typescript-eslint";

const PURE = ["src/domain/**", "src/strategy/**", "src/venue/matching/**"];
const IMPURE_NAMES = [
  "Date",
  "performance",
  "process",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "console",
  "fetch",
];

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "coverage/**"] },
  {
    files: ["**/*.ts"],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "@typescript-eslint": tseslint.plugin },
    rules: {
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/no-non-null-assertion": "error",
      "@typescript-eslint/no-unnecessary-type-assertion": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/prefer-readonly": "error",
      "@typescript-eslint/return-await": ["error", "in-try-catch"],
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      eqeqeq: "error",
      "no-empty": "error",
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  { files: ["src/**"], rules: { "no-console": "error" } },
  {
    files: PURE,
    rules: {
      "no-restricted-globals": [
        "error",
        ...IMPURE_NAMES.map((name) => ({ name, message: "Time and I/O are arguments here." })),
      ],
      "no-restricted-properties": [
        "error",
        { object: "Math", property: "random", message: "Randomness is an argument here." },
      ],
      "no-restricted-syntax": [
        "error",
        { selector: "AwaitExpression", message: "Pure files wait for nothing." },
        { selector: "FunctionDeclaration[async=true]", message: "Pure files wait for nothing." },
      ],
    },
  },
);
