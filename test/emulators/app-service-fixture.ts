import type { IncomingHttpHeaders, IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import {
  type AppService,
  type AppServiceOptions,
  type AuthSettings,
  startAppService,
} from "../../emulators/app-service/index.ts";
import { listen } from "../../emulators/kernel/listener.ts";
import { type Claims, type Issuer, startIssuer } from "../support/easy-auth-issuer.ts";

export const TENANT = "11111111-1111-4111-8111-111111111111";
export const SERVER_APP = "22222222-2222-4222-8222-222222222222";
export const CLIENT_APP = "33333333-3333-4333-8333-333333333333";
export const USER = "44444444-4444-4444-8444-444444444444";

/** What the application saw, as it answers it. */
export interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One site with an application behind it, for one test. */
export interface SiteUnderTest {
  readonly site: AppService;
  readonly issuer: Issuer;
  /** What the application received, oldest first. */
  readonly received: Echo[];
  /** An access token that the site admits, changed by `claims`. */
  readonly token: (claims?: Claims) => Promise<string>;
  /** Calls the site without following redirects. */
  readonly call: (path: string, init?: RequestInit) => Promise<Response>;
  /** Calls the site with a bearer token. */
  readonly callAs: (token: string, path?: string) => Promise<Response>;
}

interface Overrides extends Partial<Omit<AppServiceOptions, "authSettings" | "app">> {
  readonly settings?: (settings: AuthSettings) => void;
  readonly app?: RequestListener;
}

/** Starts an issuer, an application that echoes requests (unless `app` is given) and a site; ends them with the test. */
export async function startSite({ settings, app, ...options }: Overrides = {}): Promise<SiteUnderTest> {
  const issuer = await startIssuer(TENANT);
  const received: Echo[] = [];
  const echo = async (req: IncomingMessage, res: ServerResponse) => {
    const seen = { method: req.method ?? "", url: req.url ?? "", headers: req.headers, body: await text(req) };
    received.push(seen);
    res.setHeader("content-type", "application/json").end(JSON.stringify(seen));
  };
  const application = await listen("the test application", app ?? ((req, res) => void echo(req, res)));
  const authSettings: AuthSettings = {
    platform: { enabled: true, runtimeVersion: "~1" },
    globalValidation: { requireAuthentication: true, unauthenticatedClientAction: "Return401" },
    identityProviders: {
      azureActiveDirectory: { registration: { openIdIssuer: issuer.openIdIssuer, clientId: SERVER_APP } },
    },
  };
  settings?.(authSettings);
  const site = await startAppService({
    authSettings,
    appSettings: {},
    app: { origin: application.origin },
    keysOrigin: issuer.origin,
    ...options,
  });
  onTestFinished(async () => {
    await Promise.all([site.close(), application.close(), issuer.close()]);
  });
  const call = (path: string, init?: RequestInit) => fetch(`${site.origin}${path}`, { redirect: "manual", ...init });
  return {
    site,
    issuer,
    received,
    token: (claims) =>
      issuer.sign({
        aud: SERVER_APP,
        azp: CLIENT_APP,
        oid: USER,
        sub: "subject",
        scp: "user_impersonation",
        preferred_username: "adele@contoso.com",
        name: "Adele Vance",
        ver: "2.0",
        ...claims,
      }),
    call,
    callAs: (token, path = "/mcp") => call(path, { headers: { authorization: `Bearer ${token}` } }),
  };
}
