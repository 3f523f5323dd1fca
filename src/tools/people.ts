import type { Person, User } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { isAbsent, unwrap } from "../graph/errors.ts";
import type { GraphCollection } from "../graph/graph.ts";
import { path } from "../graph/path.ts";
import { searchClause } from "../graph/query.ts";
import { defineTool, page, pageResult } from "../mcp/tool.ts";
import { trusted, untrusted } from "../safety/untrusted.ts";

/** Directory searches and counts are answered by an index that Graph wants asked for by name. */
const EVENTUAL = { ConsistencyLevel: "eventual" } as const;

const SUMMARY = "id,displayName,mail,userPrincipalName";
const MAX_REPORTS = 50;

const person = z.object({
  id: trusted(),
  name: untrusted().nullable(),
  email: untrusted().nullable(),
  upn: untrusted().nullable(),
});

/** Also completes names in prompts. */
export const searchPeople = defineTool({
  name: "search_people",
  title: "Search people",
  description:
    "Find colleagues by name or address: the people the user works with, or else the whole directory. Use get_user for details.",
  effect: "read",
  permissions: ["People.Read", "User.ReadBasic.All"],
  input: z.strictObject({
    query: z.string().trim().min(1).max(100).describe("Name or start of an address"),
    scope: z.enum(["relevant", "directory"]).default("relevant").describe("directory: search everyone at once"),
    ...page,
  }),
  output: z.object({ people: z.array(person), ...pageResult }),
  async handler({ query, scope, limit, cursor }, { graph }) {
    if (scope === "relevant") {
      const { items, next } = await graph.list<Person & User>(path`/me/people`, {
        query: {
          $search: JSON.stringify(query),
          $top: limit,
          $select: "id,displayName,scoredEmailAddresses,userPrincipalName",
        },
        cursor,
      });
      // An empty page may have a next one, and a cursor may lead into either of the two collections.
      if (items.length > 0 || next !== undefined || cursor !== undefined) return { people: items.map(toPerson), next };
    }
    const { items, next } = await graph.list<User>(path`/users`, {
      query: {
        $search: `${searchClause("displayName", query)} OR ${searchClause("mail", query)}`,
        $count: true,
        $top: limit,
        $select: SUMMARY,
      },
      headers: EVENTUAL,
      cursor,
    });
    return { people: items.map(toPerson), next };
  },
});

const getUser = defineTool({
  name: "get_user",
  title: "Get a person",
  description:
    "One person of the organisation by id or user principal name, on request with direct reports and manager.",
  effect: "read",
  permissions: ["User.ReadBasic.All", "User.Read"],
  optionalPermissions: ["User.Read.All"],
  input: z.strictObject({
    user: z.string().trim().min(1).max(256).describe("Id or user principal name"),
    include_reports: z.boolean().default(false),
    include_manager: z.boolean().default(false).describe("Also return the manager, where this server may read it"),
  }),
  output: z.object({
    ...person.shape,
    job_title: untrusted().nullable(),
    department: untrusted().nullable(),
    office: untrusted().nullable(),
    reports: z.array(person).optional(),
    manager: person.nullable().optional(),
    note: trusted().optional(),
  }),
  async handler({ user, include_reports, include_manager }, { graph, permits }) {
    const mayReadManager = permits("User.Read.All");
    const [details, reports, manager] = await graph.batch<[User, GraphCollection<User>, User]>([
      { path: path`/users/${user}`, query: { $select: `${SUMMARY},jobTitle,department,officeLocation` } },
      include_reports
        ? { path: path`/users/${user}/directReports`, query: { $select: SUMMARY, $top: MAX_REPORTS } }
        : undefined,
      include_manager && mayReadManager
        ? { path: path`/users/${user}/manager`, query: { $select: SUMMARY } }
        : undefined,
    ]);
    const found = unwrap(details);
    return {
      ...toPerson(found),
      job_title: found.jobTitle ?? null,
      department: found.department ?? null,
      office: found.officeLocation ?? null,
      ...(reports && { reports: unwrap(reports).value.map(toPerson) }),
      ...(manager && { manager: isAbsent(manager) ? null : toPerson(unwrap(manager)) }),
      ...(include_manager && !mayReadManager && { note: "This server may not read managers: it lacks User.Read.All." }),
    };
  },
});

function toPerson({ id, displayName, mail, userPrincipalName, scoredEmailAddresses }: Person & User) {
  return {
    id: id ?? "",
    name: displayName ?? null,
    email: mail ?? scoredEmailAddresses?.[0]?.address ?? null,
    upn: userPrincipalName ?? null,
  };
}

export default [searchPeople, getUser];
