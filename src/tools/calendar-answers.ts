import * as z from "zod";
import { line, preview } from "../graph/confirm-text.ts";
import { timeOf } from "../graph/event-time.ts";
import type { Graph } from "../graph/graph.ts";
import { path } from "../graph/path.ts";
import { addressOf, recipientsNotice } from "../graph/recipients.ts";
import { sentText } from "../mcp/sent-text.ts";
import { defineTool } from "../mcp/tool.ts";
import { trusted } from "../safety/untrusted.ts";
import {
  ask,
  event_id,
  invalid,
  inWordsFor,
  notOrganizer,
  PERMISSIONS,
  readEvent,
  scopeOf,
} from "./calendar-change.ts";

const comment = sentText(2_000).optional();

const respondInput = z.strictObject({
  event_id,
  response: z.enum(["accept", "tentative", "decline"]),
  comment,
  send_response: z.boolean().default(true),
});

const RESPONSES = { accept: "Accept", tentative: "Tentatively accept", decline: "Decline" } as const;

const respondToEvent = defineTool({
  name: "respond_to_event",
  title: "Answer an invitation",
  description: "Answer an invitation; what is declined leaves the calendar.",
  effect: "destructive",
  idempotent: true,
  permissions: PERMISSIONS,
  input: respondInput,
  output: z.object({ response: trusted(), organizer_told: z.boolean() }),
  async confirm(input, { graph }) {
    // That somebody comes may be said unasked, but nothing in words.
    if (!input.send_response || (input.response !== "decline" && !input.comment)) return undefined;
    const { event, sendResponse } = await planResponse(input, graph);
    if (!sendResponse) return undefined;
    return ask(
      [
        `${RESPONSES[input.response]} "${line(event.subject ?? "")}"?`,
        scopeOf(event),
        `When: ${await inWordsFor(timeOf(event), graph)}`,
        await recipientsNotice(graph, [event.organizer?.emailAddress?.address ?? ""]),
        preview(input.comment ?? ""),
      ],
      event,
    );
  },
  async handler(input, { graph }) {
    const { sendResponse } = await planResponse(input, graph);
    const target = {
      accept: path`/me/events/${input.event_id}/accept`,
      tentative: path`/me/events/${input.event_id}/tentativelyAccept`,
      decline: path`/me/events/${input.event_id}/decline`,
    }[input.response];
    await graph.post(target, { body: { comment: input.comment, sendResponse }, repeatable: false });
    return { response: input.response, organizer_told: sendResponse };
  },
});

const cancelEvent = defineTool({
  name: "cancel_event",
  title: "Cancel a meeting",
  description: "Cancel a meeting that the user organizes; attendees are told.",
  effect: "destructive",
  idempotent: true,
  permissions: PERMISSIONS,
  input: z.strictObject({ event_id, comment }),
  output: z.object({ cancelled: z.boolean() }),
  async confirm(input, { graph }) {
    const event = await readEvent(input.event_id, graph);
    if (!event.isOrganizer) throw notOrganizer("cancel");
    return ask(
      [
        `Cancel "${line(event.subject ?? "")}"?`,
        scopeOf(event),
        `When: ${await inWordsFor(timeOf(event), graph)}`,
        await recipientsNotice(graph, (event.attendees ?? []).map(addressOf)),
        preview(input.comment ?? ""),
      ],
      event,
    );
  },
  async handler({ event_id, comment }, { graph }) {
    await graph.post(path`/me/events/${event_id}/cancel`, { body: { comment }, repeatable: false });
    return { cancelled: true };
  },
});

async function planResponse(input: z.output<typeof respondInput>, graph: Graph) {
  const event = await readEvent(input.event_id, graph);
  if (event.isOrganizer) throw invalid("The user organizes this meeting. Use update_event or cancel_event.");
  // Exchange refuses an answer to an organizer who wants none.
  return { event, sendResponse: input.send_response && event.responseRequested !== false };
}

export default [respondToEvent, cancelEvent];
