/**
 * The app registration that the local server signs people in with. A fork puts its own client id here, once; until then
 * `--client-id` says it.
 *
 * A public client ("Mobile and desktop applications") with the redirect URI `http://localhost`; it has no secret.
 */
export const REGISTRATION: { readonly clientId: string | undefined; readonly tenant: string | undefined } = {
  clientId: undefined,
  tenant: undefined,
};
