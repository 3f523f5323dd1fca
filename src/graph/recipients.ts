import type { Recipient, User } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { ToolError } from "../mcp/tool-error.ts";
import { line } from "./confirm-text.ts";
import type { Graph } from "./graph.ts";
import { path } from "./path.ts";

const MAX_SHOWN = 100;
const MAX_ADDRESS = 320;
const MAX_ARGUMENTS = 50;

/** Without invisible characters: it is sent to whom the person saw. */
const ADDRESS = /^[^\s\p{C}\p{DI}@,;<>"]{1,64}@[^\s\p{C}\p{DI}@,;<>"]{1,255}$/u;

/** Exchange writes an address of any other system into a local part so, and delivers to that one. */
const ENCAPSULATED = /^imcea/i;

/** The argument that takes whom something is sent to. */
export const mailAddresses = z
  .array(z.string().refine((address) => ADDRESS.test(address), "Use addresses such as ann@contoso.com"))
  .max(MAX_ARGUMENTS)
  .optional();

/** The address of somebody in mail or at a meeting; empty where there is none. */
export const addressOf = ({ emailAddress }: Recipient): string => emailAddress?.address ?? "";

/** `Name <address>`, or what is known of it; a name cannot pose as an address. */
export function nameAndAddress(name: string | null | undefined, address: string | null | undefined): string {
  const shown = name?.replace(/[<>]/g, "");
  if (!address) return shown || "unknown";
  return shown && shown !== address ? `${shown} <${address}>` : address;
}

/**
 * A line for a question to a person: `To: ann@contoso.com, bob@fabrikam.com (EXTERNAL)`, or nothing without addresses.
 *
 * External is whatever is not of a domain of the user's own. Throws {@link ToolError} `invalid_arguments` for more than
 * 100 addresses: nobody approves what they are not shown. Needs the permission User.Read.
 */
export async function recipientsNotice(graph: Graph, addresses: readonly string[], label = "To"): Promise<string> {
  if (addresses.length === 0) return "";
  if (addresses.length > MAX_SHOWN) {
    throw new ToolError(
      "invalid_arguments",
      `These are more than ${MAX_SHOWN} recipients, too many to be shown for approval. Let the person do it in Outlook.`,
    );
  }
  const domains = new Set((await ownAddresses(graph)).map(domainOf));
  const marked = addresses.map((address) => {
    const own = domains.has(domainOf(address)) && !ENCAPSULATED.test(address);
    return `${line(address, MAX_ADDRESS) || "unknown address"}${own ? "" : " (EXTERNAL)"}`;
  });
  return `${label}: ${marked.join(", ")}`;
}

/** The user's own addresses, in lower case; remembered, since they hardly ever change. */
export async function ownAddresses(graph: Graph): Promise<string[]> {
  const query = { $select: "mail,userPrincipalName" };
  const { mail, userPrincipalName } = await graph.get<User>(path`/me`, { query, remember: true });
  return [mail, userPrincipalName].flatMap((address) => (address ? [address.toLowerCase()] : []));
}

/** Behind the last `@`, where the name before it may hold another one; everything where there is none. */
function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}
