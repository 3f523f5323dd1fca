import { randomUUID } from "node:crypto";
import type { Reply } from "./authority.ts";
import { type EntraError, errorBody } from "./errors.ts";
import { sendPage } from "./page.ts";
import { sourceOf } from "./redirect-uris.ts";
import { formPostPage } from "./sign-in-pages.ts";

/** How the parameters of an authorization response travel. */
export type ResponseMode = "query" | "fragment" | "form_post";

/** Where the answer to an authorization request goes. */
export interface ReturnAddress {
  readonly redirectUri: string;
  readonly mode: ResponseMode;
  /** The client's `state`, decoded and as it was written in the request. */
  readonly state: { readonly value: string; readonly raw: string } | undefined;
}

type Fields = readonly (readonly [name: string, value: string | undefined])[];

function send({ redirectUri, mode, state }: ReturnAddress, fields: Fields): Reply {
  const present = fields.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  if (mode === "form_post") {
    const all = state ? [["state", state.value] as const, ...present] : present;
    return (res) => sendPage(res, formPostPage(redirectUri, all, sourceOf(redirectUri)));
  }
  // Some clients compare `state` as text and look for `[?&]code=`: it goes back as it came, and before the others.
  const pairs = [
    ...(state ? [`state=${state.raw}`] : []),
    ...present.map(([name, value]) => `${name}=${encodeURIComponent(value)}`),
  ];
  const separator = mode === "fragment" ? "#" : redirectUri.includes("?") ? "&" : "?";
  return (res) => res.redirect(`${redirectUri}${separator}${pairs.join("&")}`);
}

/** Hands the client what it asked for. */
export function successResponse(
  address: ReturnAddress,
  { code, idToken }: { readonly code: string | undefined; readonly idToken: string | undefined },
): Reply {
  return send(address, [
    ["session_state", randomUUID()],
    ["code", code],
    ["id_token", idToken],
  ]);
}

/** Tells the client why it gets nothing. */
export function errorResponse(address: ReturnAddress, error: EntraError): Reply {
  const body = errorBody(error);
  return send(address, [
    ["error", body.error],
    ["error_subcode", error.number === 65004 ? "cancel" : undefined],
    ["error_description", body.error_description],
    ["suberror", body.suberror],
    ["claims", body.claims],
  ]);
}
