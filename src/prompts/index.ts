import * as z from "zod";
import { definePrompt, type Lookup, type Prompt } from "../mcp/prompt.ts";
import { searchPeople } from "../tools/people.ts";

const DETAIL = { brief: "in three sentences", full: "with every fact that you found" } as const;
const detail = z.enum(["brief", "full"]).default("brief").describe("How much to say");

const people: Lookup = {
  tool: searchPeople,
  input: (typed) => ({ query: typed.trim().slice(0, 100), limit: 10 }),
  values: ({ people: found }) => (found as { name: string | null }[]).flatMap(({ name }) => name ?? []),
};

const briefMeOn = definePrompt({
  name: "brief_me_on",
  title: "Brief me on a colleague",
  description: "Who somebody is and where they stand in the organisation",
  arguments: z.object({ person: z.string().describe("Name or address"), detail }),
  tools: ["search_people", "get_user"],
  lookups: { person: people },
  render: ({ person, detail }) =>
    `Tell me who ${JSON.stringify(person)} is, ${DETAIL[detail]}. Find them with search_people; if several fit, ask me which one. ` +
    "Then call get_user with include_reports and include_manager. Say what they do, whom they report to and who reports to them, and say " +
    "plainly what the directory does not tell.",
});

const myTeam = definePrompt({
  name: "my_team",
  title: "My team",
  description: "The people around you: manager, peers, reports",
  tools: ["get_my_profile", "get_user"],
  arguments: z.object({ detail }),
  render: ({ detail }) =>
    `Describe my team, ${DETAIL[detail]}. Call get_my_profile, then get_user with my id, include_reports and include_manager. If there is a ` +
    "manager, call get_user for them with include_reports: those are my peers. Answer as a short outline: manager, peers, me, my reports.",
});

/** Every prompt, in the order in which clients list them. */
export const prompts: readonly Prompt[] = [briefMeOn, myTeam];
