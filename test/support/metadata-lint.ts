import { publish } from "../../src/mcp/definition.ts";
import type { Tool } from "../../src/mcp/tool.ts";

const LONGEST = { name: 40, title: 40, description: 200, text: 120 } as const;
const READING = /^(?:get|list|search|read|find|check|count|show)_/;
const CHANGING_PERMISSION = /\.(?:ReadWrite|Send|Create|Manage|FullControl)\b/;
/** Controls, formats (joiners, bidi, tags), private use, blanks other than the one, selectors and fillers without a shape. */
const INVISIBLE = /\p{C}|[^\S ]|\p{Variation_Selector}|[\u115F\u1160\u3164\uFFA0\u2800]/u;
const MARKUP = /<\/?[a-z!]|\[\/?(?:inst|system)|```|!\[|\]\(/i;

/** Sentences that speak to a model about anything but what the tool does and takes. */
const IMPERATIVES: readonly (readonly [RegExp, string])[] = [
  [/\b(?:ignore|disregard|forget|override|bypass)\b/i, "tells the model to set something aside"],
  [/\b(?:you must|must always|you should|you are|always|never)\b/i, "gives the model a standing order"],
  [
    /\b(?:do not|don't)\s+(?:tell|mention|show|reveal|ask|warn|inform|use|call|trust)\b/i,
    "forbids the model something",
  ],
  [/\b(?:other|any|every|all)\s+tools?\b|\binstead of (?:the|any|other)\b/i, "speaks about other tools in general"],
  [
    /\b(?:system prompt|instructions? (?:above|below)|secretly|silently|without (?:telling|asking|confirm))/i,
    "hides something",
  ],
  [/\b(?:api key|password|credential|private key|id_rsa)\b|\.(?:ssh|env|aws)\b/i, "is after secrets"],
  [/\b(?:https?|file):\/\/|\b(?:javascript|data):\S/i, "names an address"],
];

/** What tools may speak of: each other, and what any of them takes and gives. */
export function vocabularyOf(tools: readonly Tool[]): ReadonlySet<string> {
  const words = tools.flatMap((tool) => {
    const { name, inputSchema, outputSchema } = publish(tool);
    const schemas = [inputSchema, outputSchema];
    return [name].concat(schemas.flatMap(propertiesIn), schemas.flatMap(choicesIn));
  });
  return new Set(words);
}

/**
 * What is wrong with what a model reads of a tool, in sentences; nothing when it is fine. A name like `send_mail` that is
 * not in the vocabulary is one of another server, and no business of this one.
 */
export function lintMetadata(tool: Tool, vocabulary: ReadonlySet<string>): string[] {
  const shown = publish(tool);
  const schemas = [shown.inputSchema, shown.outputSchema];
  const texts: (readonly [where: string, text: string, longest: number])[] = [
    ["its name", tool.name, LONGEST.name],
    ["its title", tool.title, LONGEST.title],
    ["its description", tool.description, LONGEST.description],
    ...schemas.flatMap(textsIn).map((text) => ["a schema", text, LONGEST.text] as const),
  ];
  const problems: string[] = [];
  for (const [where, text, longest] of texts) {
    if (text.length > longest) problems.push(`${where} has ${text.length} characters, more than ${longest}`);
    if (INVISIBLE.test(text)) problems.push(`${where} has characters that nobody sees`);
    if (MARKUP.test(text)) problems.push(`${where} has markup`);
    for (const [pattern, what] of IMPERATIVES) {
      if (pattern.test(text.replaceAll("_", " "))) problems.push(`${where} ${what}`);
    }
    for (const word of text.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? []) {
      if (vocabulary.has(word)) continue;
      problems.push(`${where} names ${word}, which is neither a tool of this server nor what one takes or gives`);
    }
  }
  if (!/^[a-z]+(?:_[a-z]+)*$/.test(tool.name)) problems.push("its name is not snake_case");
  if (tool.description.trim() === "") problems.push("it has no description");
  return [...problems, ...contradictions(tool)];
}

/** Where name, effect, permissions and hints say different things. */
function contradictions(tool: Tool): string[] {
  const { name, effect, permissions, idempotent } = tool;
  const changing = permissions.filter((permission) => CHANGING_PERMISSION.test(permission));
  const reads = READING.test(name);
  return [
    ...(effect === "read" && changing.length > 0 ? [`it reads, and has ${changing.join(", ")}`] : []),
    ...(effect === "read" && tool.confirm ? ["it reads, and asks for approval"] : []),
    ...(effect === "read" && !reads ? ["it reads, and its name does not begin with a verb of reading"] : []),
    ...(effect !== "read" && reads ? ["it changes something, and its name begins with a verb of reading"] : []),
    ...(effect !== "read" && changing.length === 0 ? ["it changes something, and has no permission to"] : []),
    ...(effect === "read" && idempotent === false ? ["it reads, and calls itself not idempotent"] : []),
  ];
}

function propertiesIn(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([keyword, value]) =>
    (keyword === "properties" ? Object.keys(value as object) : []).concat(propertiesIn(value)),
  );
}

function choicesIn(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  return Object.entries(schema).flatMap(([keyword, value]) =>
    keyword === "enum" ? (value as unknown[]).map(String) : choicesIn(value),
  );
}

/** Every text of a JSON Schema, names of properties and values of enumerations too. */
function textsIn(schema: unknown): string[] {
  if (typeof schema === "string") return [schema];
  if (typeof schema !== "object" || schema === null) return [];
  const names = Array.isArray(schema)
    ? []
    : propertiesIn({ properties: (schema as { properties?: object }).properties ?? {} });
  return [...names, ...Object.values(schema).flatMap(textsIn)];
}
