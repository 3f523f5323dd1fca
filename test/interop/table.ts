import type { Observation, Sight } from "./client.ts";
import { WAYS, type Way } from "./ways.ts";

/** What came of one client at one way in. */
export interface Entered {
  /** What was seen, or in a sentence why there is nothing to see. */
  outcome: Observation | string;
  /** As it was spoken to App Service. */
  protocolVersion?: string | undefined;
  /** Where the client sent the browser to sign in. */
  authorizeUrl?: URL;
  /** Why it was given a token instead. */
  givenToken?: string;
}

/** What came of one client. */
export interface Row {
  readonly name: string;
  readonly version: string;
  readonly entered: Map<Way, Entered>;
}

/** The matrix, the reasons for its gaps, and what the clients asked Entra for, as Markdown. */
export function renderMatrix(rows: readonly Row[]): string {
  const reasons: string[] = [];
  const because = (reason: string): string => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return `(${reasons.indexOf(reason) + 1})`;
  };
  const sight = (seen: Sight | undefined): string => {
    if (seen === undefined) return "";
    return seen === true ? "yes" : `- ${because(seen)}`;
  };
  const wayIn = (entered: Entered | undefined): string => {
    if (!entered) return "";
    const { outcome, givenToken } = entered;
    if (outcome === "failed") return outcome;
    if (typeof outcome === "string") return sight(outcome);
    if (givenToken !== undefined) return `token ${because(givenToken)}`;
    return outcome.list === true && outcome.call === true ? "yes" : "connects";
  };
  const results = rows.map(({ name, version, entered }) => {
    const { outcome, protocolVersion } = entered.get("Easy Auth") ?? { outcome: "" };
    const seen = typeof outcome === "string" ? undefined : outcome;
    return [
      name,
      version,
      protocolVersion ?? "not seen",
      ...WAYS.map((way) => wayIn(entered.get(way))),
      ...[seen?.list, seen?.call, seen?.elicitation].map(sight),
    ];
  });
  return [
    table(["Client", "Version", "Protocol", ...WAYS, "List", "Call", "Elicitation"], results),
    reasons.map((reason, index) => `${index + 1}. ${reason}`).join("\n"),
    "What those that sign in asked for:",
    table(["Client", "Redirect URI", "`scope`", "`resource`", "`prompt`", "At the broker"], signIns(rows)),
    `Seen with Node ${process.versions.node} on ${process.platform}-${process.arch}.`,
  ].join("\n\n");
}

/** One line per client, whatever its modes. Ports change from run to run and are left out. */
function signIns(rows: readonly Row[]): string[][] {
  const lines = new Map<string, string[]>();
  for (const { name, entered } of rows) {
    const atBroker = entered.get("Broker")?.authorizeUrl;
    const authorizeUrl = entered.get("Easy Auth")?.authorizeUrl ?? atBroker;
    if (!authorizeUrl) continue;
    const [client = ""] = name.split(",");
    const { searchParams } = authorizeUrl;
    const { origin } = new URL(searchParams.get("resource") ?? authorizeUrl);
    const asked = (parameter: string): string => {
      const value = searchParams.get(parameter);
      return value === null
        ? "not sent"
        : `\`${value.replaceAll(origin, "<server>").replace(/:\d+(?=\/)/, ":<port>")}\``;
    };
    const parameters = ["redirect_uri", "scope", "resource", "prompt"].map(asked);
    lines.set(client, [client, ...parameters, clientIdAt(atBroker)]);
  }
  return [...lines.values()];
}

/** How a client came by its id: an address is that of its metadata document. */
function clientIdAt(authorizeUrl: URL | undefined): string {
  const clientId = authorizeUrl?.searchParams.get("client_id") ?? "";
  if (clientId === "") return "";
  return clientId.startsWith("https:") ? "names its document" : "registers itself";
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
