import type { Observation, Sight } from "./client.ts";

/** What happened with one client. */
export interface Row {
  readonly name: string;
  readonly version: string;
  /** What was seen, or in a sentence why there is nothing to see. */
  readonly outcome: Observation | string;
  readonly protocolVersion: string | undefined;
  /** Where the client sent the browser to sign in; undefined when it was given a token. */
  readonly authorizeUrl: URL | undefined;
}

/** The matrix, the reasons for its gaps, and what the clients asked Entra for, as Markdown. */
export function renderMatrix(rows: readonly Row[], mcpUrl: string): string {
  const reasons: string[] = [];
  const cell = (sight: Sight): string => {
    if (sight === true) return "yes";
    if (!reasons.includes(sight)) reasons.push(sight);
    return `- (${reasons.indexOf(sight) + 1})`;
  };
  const results = rows.map(({ name, version, outcome, protocolVersion, authorizeUrl }) =>
    typeof outcome === "string"
      ? [name, version, outcome, "", "", "", ""]
      : [
          name,
          version,
          protocolVersion ?? "not seen",
          authorizeUrl ? "signs in" : "header",
          cell(outcome.list),
          cell(outcome.call),
          cell(outcome.elicitation),
        ],
  );
  return [
    table(["Client", "Version", "Protocol", "Token", "List", "Call", "Elicitation"], results),
    reasons.map((reason, index) => `${index + 1}. ${reason}`).join("\n"),
    "What those that sign in asked Entra ID for:",
    table(["Client", "Redirect URI", "`scope`", "`resource`", "`prompt`"], signIns(rows, new URL(mcpUrl).origin)),
    `Seen with Node ${process.versions.node} on ${process.platform}-${process.arch}.`,
  ].join("\n\n");
}

/** One line per client, whatever its modes. Ports change from run to run and are left out. */
function signIns(rows: readonly Row[], origin: string): string[][] {
  const lines = new Map<string, string[]>();
  for (const { name, authorizeUrl } of rows) {
    if (!authorizeUrl) continue;
    const [client = ""] = name.split(",");
    const asked = (parameter: string): string => {
      const value = authorizeUrl.searchParams.get(parameter);
      return value === null
        ? "not sent"
        : `\`${value.replaceAll(origin, "<server>").replace(/:\d+(?=\/)/, ":<port>")}\``;
    };
    lines.set(client, [client, asked("redirect_uri"), asked("scope"), asked("resource"), asked("prompt")]);
  }
  return [...lines.values()];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** A document with the part between `<!-- generated: interop -->` and `<!-- end -->` replaced. */
export function withMatrix(document: string, matrix: string): string {
  const part = /(<!-- generated: interop -->\n)[\s\S]*?(<!-- end -->)/;
  if (!part.test(document)) throw new Error("The document has no place for the matrix.");
  return document.replace(part, (_all, start: string, end: string) => `${start}${matrix}\n${end}`);
}
