import type { Tool } from "../mcp/tool.ts";
import calendar from "./calendar.ts";
import files from "./files.ts";
import mail from "./mail.ts";
import people from "./people.ts";
import profile from "./profile.ts";
import tasks from "./tasks.ts";
import teams from "./teams.ts";

/** Every toolset by its name in `TOOLSETS`. */
export const toolsets: Readonly<Record<string, readonly Tool[]>> = {
  profile,
  people,
  mail,
  calendar,
  files,
  tasks,
  teams,
};

/** What configuration may switch on by name. */
export const catalogue = {
  toolsets: Object.keys(toolsets),
  defaultToolsets: ["profile", "people", "mail", "calendar", "files"],
  optionalPermissions: [
    ...new Set(Object.values(toolsets).flatMap((tools) => tools.flatMap((tool) => tool.optionalPermissions ?? []))),
  ],
};
