import type { MailFolder } from "@microsoft/microsoft-graph-types";
import { ToolError } from "../mcp/tool-error.ts";
import { unwrap } from "./errors.ts";
import type { Graph, GraphCollection } from "./graph.ts";
import { path } from "./path.ts";

const WELL_KNOWN = ["inbox", "archive", "drafts", "sentitems", "deleteditems", "junkemail", "outbox"];

/**
 * The id of a mail folder, or its well-known name, which stands for it; another name costs a request the first time.
 *
 * Throws {@link ToolError} `not_found` for a name that no folder has at the top or in the inbox.
 */
export async function findMailFolder(name: string, graph: Graph): Promise<string> {
  const wellKnown = name.toLowerCase().replaceAll(" ", "");
  if (WELL_KNOWN.includes(wellKnown)) return wellKnown;
  // A folder that was missing a minute ago may be there.
  const id = (await lookUp(name, graph, { remember: true })) ?? (await lookUp(name, graph, { remember: false }));
  if (id !== undefined) return id;
  throw new ToolError(
    "not_found",
    `No mail folder has this name, at the top or in the inbox. Well-known folders are ${WELL_KNOWN.join(", ")}.`,
  );
}

async function lookUp(
  name: string,
  graph: Graph,
  { remember }: { readonly remember: boolean },
): Promise<string | undefined> {
  const query = { $filter: `displayName eq '${name.replaceAll("'", "''")}'`, $select: "id", $top: 1 };
  const found = await graph.batch<[GraphCollection<MailFolder>, GraphCollection<MailFolder>]>([
    { path: path`/me/mailFolders`, query, remember },
    { path: path`/me/mailFolders/inbox/childFolders`, query, remember },
  ]);
  return found.flatMap((result) => (result ? unwrap(result).value : []))[0]?.id;
}
