/** The keys of the config as Markdown for docs/config.md: one table per section, and one of the Go project's other keys. */
import { invariant } from "../domain/assert.ts";
import type { JsonSchema } from "./json-schema.ts";
import { configJsonSchema } from "./json-schema.ts";
import type { Answer } from "./original-keys.ts";
import { ORIGINAL_KEYS } from "./original-keys.ts";

/** `document` with the text between each pair of `<!-- begin NAME -->` and `<!-- end NAME -->` as it is today. */
export function fillReference(document: string): string {
  const parts = { keys: keyTables(configJsonSchema()), answers: answerTable(ORIGINAL_KEYS) };
  return Object.entries(parts).reduce((text, [name, part]) => {
    const [begin, end] = [`<!-- begin ${name} -->`, `<!-- end ${name} -->`];
    const [before, rest] = text.split(begin);
    const after = rest?.split(end)[1];
    invariant(after !== undefined, `the document has no part ${begin} … ${end}`);
    return `${before ?? ""}${begin}\n\n${part}\n\n${end}${after}`;
  }, document);
}

/** One table per top-level section of `schema`, under a heading of its own. */
function keyTables(schema: JsonSchema): string {
  return Object.entries(schema.properties ?? {})
    .map(([name, section]) =>
      [
        `### ${name}`,
        "",
        section.description ?? "",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        ...mergeVariants(rowsOf(section, name)).map(
          ({ key, variant, initial, meaning }) =>
            `| \`${key}\`${variant === "" ? "" : ` (${variant})`} | ${initial} | ${meaning} |`,
        ),
      ].join("\n"),
    )
    .join("\n\n");
}

/** The table of keys that this version warns about or refuses. */
function answerTable(answers: Readonly<Record<string, Answer>>): string {
  const words = { ignored: "warned about", refused: "refused", misnamed: "no such key" };
  return [
    "| key | answer | why, and what to do |",
    "|---|---|---|",
    ...Object.entries(answers)
      .filter(([key]) => !isRepeated(key, answers))
      .map(([key, { effect, reason }]) => `| \`${key}\` | ${words[effect]} | ${escapeCell(reason)} |`),
  ].join("\n");
}

interface Row {
  readonly key: string;
  /** Of several forms of one section, the one that has this key. */
  readonly variant: string;
  readonly initial: string;
  readonly meaning: string;
}

function rowsOf(schema: JsonSchema, path: string, variant = ""): readonly Row[] {
  const { properties = {}, required = [], items, additionalProperties, oneOf = [] } = schema;
  const fields = Object.entries(properties);
  return [
    ...fields.flatMap(([name, field], index) => {
      const key = `${path}.${name}`;
      const initial = initialOf(field, required.includes(name));
      const like = fields.slice(0, index).find(([, other]) => hasSameKeys(field, other))?.[0];
      const same = like === undefined ? "" : `The same keys as ${path}.${like}.`;
      const meaning = escapeCell([field.description, rangeOf(field), same].filter(Boolean).join(" "));
      return [{ key, variant, initial, meaning }, ...(like === undefined ? rowsOf(field, key, variant) : [])];
    }),
    ...(items ? rowsOf(items, `${path}[]`, variant) : []),
    ...(typeof additionalProperties === "object"
      ? rowsOf(additionalProperties, `${path}.<name>`, variant)
      : []),
    ...oneOf.flatMap((form) => rowsOf(form, path, nameOf(form))),
  ];
}

function hasSameKeys({ properties }: JsonSchema, other: JsonSchema): boolean {
  return properties !== undefined && JSON.stringify(properties) === JSON.stringify(other.properties);
}

/** Rows that all forms of a section share are shown once, without the form's name. */
function mergeVariants(rows: readonly Row[]): readonly Row[] {
  const isSame = (a: Row, b: Row): boolean =>
    a.key === b.key && a.initial === b.initial && a.meaning === b.meaning;
  return rows.flatMap((row, index) => {
    if (rows.findIndex((other) => isSame(other, row)) < index) return [];
    return [rows.some((other, at) => at > index && isSame(other, row)) ? { ...row, variant: "" } : row];
  });
}

function initialOf(field: JsonSchema, isRequired: boolean): string {
  if (field.const !== undefined) return `\`${String(field.const)}\``;
  if (field.default !== undefined && typeof field.default !== "object") return `\`${String(field.default)}\``;
  return isRequired ? "required" : "–";
}

function rangeOf({ type, enum: values, minimum, maximum }: JsonSchema): string {
  if (values && type !== "boolean")
    return `One of ${values.map((value) => `\`${String(value)}\``).join(", ")}.`;
  return minimum === undefined || maximum === undefined ? "" : `From ${minimum} to ${maximum}.`;
}

/** The value of the key that tells the forms of a section apart. */
function nameOf(form: JsonSchema): string {
  const named = Object.values(form.properties ?? {}).find((field) => field.const !== undefined);
  return String(named?.const ?? "");
}

/** True of a key that is answered the same per symbol and for all of them. */
function isRepeated(key: string, answers: Readonly<Record<string, Answer>>): boolean {
  const forAll = key.replace("trading.symbols[].", "trading.");
  return forAll !== key && answers[forAll]?.reason === answers[key]?.reason;
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
