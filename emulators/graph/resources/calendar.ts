import { DateTime } from "luxon";
import type { Answer } from "../answer.ts";
import { type CalendarItem, calendarItems, calendarOf, ianaOf, itemsWithin } from "../calendar.ts";
import { badRequest, GraphFailure } from "../failure.ts";
import { idMalformed, isWellFormed, itemNotFound, mailboxOf, preferencesOf } from "../mailbox.ts";
import { parseOrder } from "../odata/order.ts";
import type { Row } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { EVENT, EVENT_PROPERTIES, type EventPreferences, eventRow, NOT_IN_VIEW } from "./event-entity.ts";
import { limited, page } from "./mail.ts";
import { me } from "./users.ts";

const READ = ["Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared"];

const UTC = { name: "UTC", iana: "UTC" } as const;

/** The zone that event times are asked for in; Graph's own choice is UTC. */
export function zonePreference(headers: Headers): EventPreferences["zone"] {
  const name = /(?:^|,)\s*outlook\.timezone="([^"]*)"/i.exec(headers.get("prefer") ?? "")?.[1];
  return name === undefined ? UTC : { name, iana: ianaOf(name) };
}

/** The headers that say which preferences were honoured. */
export function appliedPreferences(headers: Headers): Readonly<Record<string, string>> {
  const others = preferencesOf(headers).headers["Preference-Applied"];
  const zone = /outlook\.timezone="[^"]*"/i.exec(headers.get("prefer") ?? "")?.[0];
  const applied = [zone, others].filter((preference) => preference !== undefined).join(", ");
  return applied ? { "Preference-Applied": applied } : {};
}

const eventPreferences = ({ headers }: Call): EventPreferences => ({
  ...preferencesOf(headers),
  zone: zonePreference(headers),
});

/** The items in the calendar of whoever is signed in. */
export function ownItems(call: Call): CalendarItem[] {
  mailboxOf(call);
  return calendarItems(calendarOf(call), me(call).mail ?? "");
}

function instant({ options }: Call, name: string): DateTime {
  const value = options.get(name);
  if (value === undefined) {
    throw new GraphFailure(
      400,
      "ErrorInvalidParameter",
      "This request requires a time window specified by the query string parameters StartDateTime and EndDateTime.",
    );
  }
  const time = DateTime.fromISO(value, { zone: "utc" });
  if (time.isValid) return time;
  throw new GraphFailure(400, "ErrorInvalidParameter", `The value '${value.slice(0, 100)}' of ${name} is not valid.`);
}

function view(call: Call): Answer {
  const items = ownItems(call);
  const [from, to] = [instant(call, "startDateTime"), instant(call, "endDateTime")];
  if (to < from) throw new GraphFailure(400, "ErrorInvalidParameter", "EndDateTime is before StartDateTime.");
  const selection = parseSelect(call.options, EVENT);
  const refused = selection?.find((name) => NOT_IN_VIEW.includes(name));
  if (refused !== undefined) throw badRequest(`The property '${refused}' cannot be selected in a calendar view.`);
  const preferences = eventPreferences(call);
  const order = call.options.get("$orderby");
  const rows = itemsWithin(items, from, to).map((item) => eventRow(item, preferences));
  if (order !== undefined) rows.sort(parseOrder(order, EVENT));
  const context = `users('${me(call).id}')/calendarView${contextSelection(selection)}`;
  const names = selection ?? EVENT_PROPERTIES.filter((name) => !NOT_IN_VIEW.includes(name));
  const answer = page(call, rows, context, (row) => projectEvent(row, names));
  return { ...answer, headers: appliedPreferences(call.headers) };
}

const projectEvent = (row: Row, names: readonly string[]): Row =>
  project(row, ["id", ...names], { "@odata.etag": row["@odata.etag"] });

/** The item that a call names by either of its ids. */
export function namedItem(call: Call<"id">): CalendarItem {
  const { id } = call.parameters;
  const items = ownItems(call);
  if (!isWellFormed(id)) throw idMalformed();
  const item = items.find(({ ids }) => ids.mutable === id || ids.immutable === id);
  if (item) return item;
  throw itemNotFound();
}

/** One event as the answer to a call. */
export function eventAnswer(call: Call, item: CalendarItem, status = 200): Answer {
  const selection = parseSelect(call.options, EVENT);
  const context = `users('${me(call).id}')/events${contextSelection(selection)}/$entity`;
  const row = eventRow(item, eventPreferences(call));
  const names = selection ?? [...EVENT_PROPERTIES, ...(row["transactionId"] === null ? [] : ["transactionId"])];
  return {
    status,
    headers: appliedPreferences(call.headers),
    body: { "@odata.context": `${call.origin}/v1.0/$metadata#${context}`, ...projectEvent(row, names) },
  };
}

/** The calendar of the signed-in user. */
export const calendarRoutes: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/me/calendarView",
    service: "exchange",
    permissions: READ,
    options: ["$select", "$orderby", "$top", "$skip"],
    handle: (call) => limited(call, () => view(call)),
  }),
  defineRoute({
    method: "GET",
    path: "/me/events/{id}",
    service: "exchange",
    permissions: READ,
    options: ["$select"],
    handle: (call) => limited(call, () => eventAnswer(call, namedItem(call))),
  }),
];
