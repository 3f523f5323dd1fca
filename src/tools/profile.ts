import type { MailboxSettings, User } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { isAbsent, unwrap } from "../graph/errors.ts";
import { path } from "../graph/path.ts";
import { defineTool } from "../mcp/tool.ts";
import { trusted, untrusted } from "../safety/untrusted.ts";

const PROFILE = "id,displayName,userPrincipalName,mail,jobTitle,department,officeLocation,preferredLanguage";

const mailbox = z.object({
  timezone: untrusted().nullable().describe("Windows time zone name"),
  working_days: z.array(trusted()),
  working_hours: trusted().nullable(),
});

const getMyProfile = defineTool({
  name: "get_my_profile",
  title: "Get my profile",
  description:
    "Who is signed in: name, address, job. Set include_mailbox for the mailbox time zone and working hours, before working with dates.",
  effect: "read",
  openWorld: false,
  permissions: ["User.Read", "MailboxSettings.Read"],
  input: z.strictObject({
    include_mailbox: z.boolean().default(false),
  }),
  output: z.object({
    id: trusted(),
    name: untrusted().nullable(),
    upn: untrusted().nullable(),
    email: untrusted().nullable(),
    job_title: untrusted().nullable(),
    department: untrusted().nullable(),
    office: untrusted().nullable(),
    language: untrusted().nullable(),
    mailbox: mailbox.nullable().optional().describe("null: the account has no mailbox"),
  }),
  async handler({ include_mailbox }, { graph }) {
    const [me, settings] = await graph.batch<[User, MailboxSettings]>([
      { path: path`/me`, query: { $select: PROFILE } },
      include_mailbox ? { path: path`/me/mailboxSettings`, query: { $select: "timeZone,workingHours" } } : undefined,
    ]);
    return {
      ...toProfile(unwrap(me)),
      ...(settings && { mailbox: isAbsent(settings) ? null : toMailbox(unwrap(settings)) }),
    };
  },
});

function toProfile(user: User) {
  return {
    id: user.id ?? "",
    name: user.displayName ?? null,
    upn: user.userPrincipalName ?? null,
    email: user.mail ?? null,
    job_title: user.jobTitle ?? null,
    department: user.department ?? null,
    office: user.officeLocation ?? null,
    language: user.preferredLanguage ?? null,
  };
}

function toMailbox({ timeZone, workingHours }: MailboxSettings) {
  const clock = (time: string | null | undefined) => time?.slice(0, 5);
  const [start, end] = [clock(workingHours?.startTime), clock(workingHours?.endTime)];
  return {
    timezone: timeZone || null,
    working_days: workingHours?.daysOfWeek ?? [],
    working_hours: start && end ? `${start}-${end}` : null,
  };
}

export default [getMyProfile];
