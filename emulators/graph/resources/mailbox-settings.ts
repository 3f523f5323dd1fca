import type { User } from "../../directory.ts";
import { GraphFailure } from "../failure.ts";
import type { Row, Schema } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { defineRoute, type Route } from "../route.ts";
import { me } from "./users.ts";

const PROPERTIES = [
  "automaticRepliesSetting",
  "dateFormat",
  "language",
  "timeFormat",
  "timeZone",
  "userPurpose",
  "workingHours",
];

const MAILBOX_SETTINGS: Schema = { type: "microsoft.graph.mailboxSettings", properties: new Set(PROPERTIES) };

function settingsOf({ mailbox, preferredLanguage }: User): Row {
  if (!mailbox) {
    throw new GraphFailure(
      404,
      "MailboxNotEnabledForRESTAPI",
      "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    );
  }
  const locale = preferredLanguage ?? "en-US";
  const languageNames = new Intl.DisplayNames("en", { type: "language", languageDisplay: "standard" });
  return {
    ...mailbox,
    language: { locale, displayName: languageNames.of(locale) },
    dateFormat: "yyyy-MM-dd",
    timeFormat: "HH:mm",
    userPurpose: "user",
    automaticRepliesSetting: {
      status: "disabled",
      externalAudience: "all",
      internalReplyMessage: "",
      externalReplyMessage: "",
    },
  };
}

/** The mailbox settings of the signed-in user. */
export const mailboxSettingsRoutes: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/me/mailboxSettings",
    service: "exchange",
    permissions: ["MailboxSettings.Read", "MailboxSettings.ReadWrite"],
    options: ["$select"],
    handle(call) {
      const user = me(call);
      const settings = settingsOf(user);
      const selection = parseSelect(call.options, MAILBOX_SETTINGS);
      const context = `${call.origin}/v1.0/$metadata#users('${user.id}')/mailboxSettings${contextSelection(selection)}`;
      return { status: 200, body: { "@odata.context": context, ...project(settings, selection ?? PROPERTIES) } };
    },
  }),
];
