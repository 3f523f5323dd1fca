import type { Request, RequestHandler } from "express";
import { type Authority, findUser, type Reply, requireUser, type SignIn, tenantOf } from "./authority.ts";
import { assertAssigned, grantConsent, missingScopes, scopesToShow } from "./consent.ts";
import { EntraError } from "./errors.ts";
import { formOf } from "./form.ts";
import { type Page, sendPage } from "./page.ts";
import { formActionSources } from "./redirect-uris.ts";
import { readSession, startSession } from "./sessions.ts";
import { accountPage, consentPage, type SignInView, secondFactorPage } from "./sign-in-pages.ts";

const OIDC_CONSENT: readonly { value: string; description: string }[] = [
  { value: "openid", description: "Sign you in" },
  { value: "profile", description: "View your basic profile" },
  { value: "email", description: "View your email address" },
  { value: "offline_access", description: "Keep the access that you give it while you are away" },
];

const show =
  (page: Page): Reply =>
  (res) =>
    sendPage(res, page);

function viewOf(authority: Authority, signIn: SignIn): SignInView {
  return {
    tenant: signIn.tenant,
    client: signIn.client,
    resources: signIn.resources.map(({ resource }) => resource),
    handle: authority.signIns.add(signIn),
    formAction: formActionSources(signIn.client),
  };
}

/** Whether the consent page is due; throws where a user's consent does not help. */
function needsConsent({ tenant, client, resources, prompt }: SignIn, user: NonNullable<SignIn["user"]>): boolean {
  const missing = resources.map((asked) => ({ asked, values: missingScopes({ tenant, client, user }, asked) }));
  if (prompt !== "consent" && missing.every(({ values }) => values.length === 0)) return false;
  if (prompt === "none") throw new EntraError(65001, [client.appId, client.displayName], { error: "consent_required" });
  if (tenant.userConsentRestricted === true) throw new EntraError(90095, [client.displayName]);
  const onlyAdmin = missing.some(({ asked, values }) =>
    asked.resource.scopes.some((scope) => scope.adminConsentRequired === true && values.includes(scope.value)),
  );
  if (onlyAdmin) throw new EntraError(90094, [client.displayName]);
  return true;
}

/** The next page of a sign-in, or its end. */
function advance(authority: Authority, signIn: SignIn): Reply | Promise<Reply> {
  const { tenant, client, resources, oidc, user, prompt } = signIn;
  if (!user) return show(accountPage(viewOf(authority, signIn), signIn.hint));
  try {
    for (const { resource } of resources) assertAssigned(tenant, resource, user);
    if (signIn.stepUp && !signIn.mfa) {
      if (prompt === "none") throw new EntraError(50076, [client.appId]);
      return show(secondFactorPage(viewOf(authority, signIn), user));
    }
    if (needsConsent(signIn, user)) {
      const scopes = [...resources.flatMap(scopesToShow), ...OIDC_CONSENT.filter(({ value }) => oidc.includes(value))];
      return show(consentPage(viewOf(authority, signIn), user, scopes));
    }
  } catch (error) {
    if (error instanceof EntraError) return signIn.fail(error);
    throw error;
  }
  return signIn.succeed(user, signIn.mfa);
}

/** Starts a sign-in: straight on for a user whom the browser knows and the request names, else with the account list. */
export function beginSignIn(authority: Authority, signIn: SignIn, req: Request): Reply | Promise<Reply> {
  const { tenant, prompt, hint } = signIn;
  const session = readSession(authority, req);
  const known = session && tenant.users.find(({ id }) => id === session.userId);
  const expected = hint === undefined ? prompt === "none" : hint.id === known?.id;
  if (session && known && expected && prompt !== "login" && prompt !== "select_account") {
    return advance(authority, { ...signIn, user: known, mfa: session.mfa });
  }
  if (prompt === "none") return signIn.fail(new EntraError(50058));
  return advance(authority, signIn);
}

/** The user that a `login_hint` means, if any. */
export function hintedUser(signIn: Pick<SignIn, "tenant">, loginHint: string | undefined): SignIn["hint"] {
  return loginHint === undefined ? undefined : findUser(signIn.tenant, loginHint);
}

/** Takes a sign-in over from the page whose form was sent; that page's form works only once. */
function resume(authority: Authority, req: Request): { signIn: SignIn; form: URLSearchParams } {
  const form = formOf(req);
  const handle = form.get("ctx") ?? "";
  const signIn = authority.signIns.get(handle);
  if (signIn?.tenant !== tenantOf(authority, req)) throw new EntraError(165000);
  authority.signIns.delete(handle);
  return { signIn, form };
}

/** The user picked an account. */
export function pickAccount(authority: Authority): RequestHandler {
  return async (req, res) => {
    const { signIn, form } = resume(authority, req);
    const { tenant } = signIn;
    signIn.user = requireUser(tenant, form.get("user") ?? "");
    signIn.stepUp ||= form.get("mfa") === "yes";
    startSession(authority, tenant, res, { userId: signIn.user.id, mfa: false });
    (await advance(authority, signIn))(res);
  };
}

/** The user approved or denied the second factor. */
export function decideSecondFactor(authority: Authority): RequestHandler {
  return async (req, res) => {
    const { signIn, form } = resume(authority, req);
    const { tenant, user } = signIn;
    if (!user) throw new EntraError(165000);
    if (form.get("action") !== "approve") {
      signIn.fail(new EntraError(500121))(res);
      return;
    }
    signIn.mfa = true;
    startSession(authority, tenant, res, { userId: user.id, mfa: true });
    (await advance(authority, signIn))(res);
  };
}

/** The user accepted or declined the permissions; accepting is stored in the tenant. */
export function decideConsent(authority: Authority): RequestHandler {
  return async (req, res) => {
    const { signIn, form } = resume(authority, req);
    const { tenant, client, user } = signIn;
    if (!user) throw new EntraError(165000);
    if (form.get("action") !== "accept") {
      signIn.fail(new EntraError(65004))(res);
      return;
    }
    for (const asked of signIn.resources) grantConsent({ tenant, client, user }, asked);
    (await signIn.succeed(user, signIn.mfa))(res);
  };
}
