import { exchangeId, type Mailbox, type MailFolder, type MailMessage, standardFolders } from "../mailbox.ts";
import { GraphFailure } from "./failure.ts";
import { me } from "./resources/users.ts";
import type { Call } from "./route.ts";

/** Exchange's answer to an id that is none. */
export const idMalformed = () => new GraphFailure(400, "ErrorInvalidIdMalformed", "Id is malformed.");

/** Exchange's answer for an item that does not exist. */
export const itemNotFound = () =>
  new GraphFailure(404, "ErrorItemNotFound", "The specified object was not found in the store.");

/** The mail of the signed-in user; whoever has a mailbox and no mail in it gets an empty one. */
export function mailboxOf(call: Call): Mailbox {
  const user = me(call);
  if (!user.mailbox) {
    throw new GraphFailure(
      404,
      "MailboxNotEnabledForRESTAPI",
      "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
    );
  }
  const { folders, messages } = call.tenant.mailboxes.get(user.id) ?? { folders: [], messages: [] };
  return { folders: [...standardFolders, ...folders], messages };
}

const MUTABLE = "AAMkAGI";

/** The id that an item has while it stays in its folder; sent where the caller did not ask for immutable ids. */
export const mutableId = ({ id, folder }: MailMessage) => exchangeId(MUTABLE, `${folder} ${id}`);

/** Whether Exchange could have made this id. */
export const isWellFormed = (id: string) => /^A[AQ][Mk][A-Za-z0-9+/_-]{30,}={0,2}$/.test(id);

/** The message with this id, of either kind; ids are case-sensitive. */
export function messageById({ messages }: Mailbox, id: string): MailMessage {
  if (!isWellFormed(id)) throw idMalformed();
  const idOf = id.startsWith(MUTABLE) ? mutableId : (message: MailMessage) => message.id;
  for (const message of messages) if (idOf(message) === id) return message;
  throw itemNotFound();
}

/** The folder with this id or well-known name. */
export function folderById({ folders }: Mailbox, id: string): MailFolder {
  const folder = folders.find((candidate) => candidate.id === id || candidate.wellKnownName === id.toLowerCase());
  if (folder) return folder;
  throw isWellFormed(id) ? itemNotFound() : idMalformed();
}

/** What Exchange is asked to do with its answer, and the header in which it says what it did. */
export function preferencesOf(headers: Headers) {
  const sent = (headers.get("prefer") ?? "").split(",").map((preference) => preference.trim());
  const asks = (pattern: RegExp) => sent.find((preference) => pattern.test(preference));
  const text = asks(/^outlook\.body-content-type="?text"?$/i);
  const immutable = asks(/^IdType="?ImmutableId"?$/i);
  const applied = [text, immutable].filter((preference) => preference !== undefined).join(", ");
  return {
    text: text !== undefined,
    immutableIds: immutable !== undefined,
    headers: (applied ? { "Preference-Applied": applied } : {}) as Readonly<Record<string, string>>,
  };
}
