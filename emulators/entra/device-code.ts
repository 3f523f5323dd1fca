import { randomInt } from "node:crypto";
import type { RequestHandler } from "express";
import {
  type Authority,
  DEVICE_CODE_LIFETIME,
  type DeviceAuthorization,
  findClient,
  type Reply,
  type SignIn,
  tenantOf,
} from "./authority.ts";
import { assertPublicClient } from "./client-authentication.ts";
import { EntraError } from "./errors.ts";
import { formOf } from "./form.ts";
import { type Page, sendPage } from "./page.ts";
import { assertResourceMatches, parseScopes, resolveScopes } from "./scopes.ts";
import { beginSignIn } from "./sign-in.ts";
import { deviceCodePage, messagePage } from "./sign-in-pages.ts";
import { issueForGrant } from "./signed-in-grant.ts";
import { type GrantHandler, requireField, resourceParameters } from "./token-request.ts";

const POLLING_INTERVAL = 5;

// Without vowels and look-alikes: nobody has to guess, and no code spells a word.
const USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ2456789";

const newUserCode = () =>
  Array.from({ length: 9 }, () => USER_CODE_ALPHABET.charAt(randomInt(USER_CODE_ALPHABET.length))).join("");

/** Gives a device a code to poll with and one for its user. */
export function deviceCode(authority: Authority): RequestHandler {
  return (req, res) => {
    const tenant = tenantOf(authority, req);
    const form = formOf(req);
    const client = findClient(tenant, form.get("client_id"));
    if (client.isFallbackPublicClient !== true) throw new EntraError(7000218);
    const scopes = parseScopes(requireField(form, "scope"));
    assertResourceMatches(tenant, authority.switches["entra.resourceMatch"], scopes, resourceParameters(form));
    resolveScopes(tenant, client, scopes);
    const userCode = newUserCode();
    const verificationUri = `${authority.origins.http}/${tenant.id}/deviceauth`;
    res.json({
      user_code: userCode,
      device_code: authority.deviceCodes.add({ tenantId: tenant.id, client, scopes, userCode }),
      verification_uri: verificationUri,
      expires_in: DEVICE_CODE_LIFETIME,
      interval: POLLING_INTERVAL,
      message: `To sign in, open ${verificationUri} in a browser and enter the code ${userCode}.`,
    });
  };
}

function signInOf(tenant: SignIn["tenant"], device: DeviceAuthorization): SignIn {
  const { client, scopes } = device;
  const show =
    (page: Page): Reply =>
    (res) =>
      sendPage(res, page);
  return {
    tenant,
    client,
    resources: resolveScopes(tenant, client, scopes),
    oidc: scopes.oidc,
    prompt: undefined,
    hint: undefined,
    stepUp: false,
    mfa: false,
    succeed(user, mfa) {
      device.result = { user, mfa };
      return show(messagePage(tenant, "You're signed in", `${client.displayName} goes on; you may close this window.`));
    },
    fail(error) {
      device.result = "declined";
      return show(messagePage(tenant, "You're not signed in", `AADSTS${error.number}: ${error.message}`));
    },
  };
}

/** The page where the user enters the code of a device. */
export function deviceCodeForm(authority: Authority): RequestHandler {
  return (req, res) => {
    sendPage(res, deviceCodePage(tenantOf(authority, req)));
  };
}

/** Begins the sign-in for the device whose code the user entered. */
export function enterDeviceCode(authority: Authority): RequestHandler {
  return async (req, res) => {
    const tenant = tenantOf(authority, req);
    const entered = (formOf(req).get("user_code") ?? "").replaceAll(/[\s-]/g, "").toUpperCase();
    const device = authority.deviceCodes
      .values()
      .find(({ tenantId, userCode, result }) => tenantId === tenant.id && userCode === entered && !result);
    if (!device) throw new EntraError(70018);
    (await beginSignIn(authority, signInOf(tenant, device), req))(res);
  };
}

/** Redeems a device code once its user has signed in. */
export const redeemDeviceCode: GrantHandler = async (request) => {
  const { authority, tenant, form, clientRequest } = request;
  assertPublicClient(clientRequest);
  const deviceCode = requireField(form, "device_code");
  const found = authority.deviceCodes.find(deviceCode);
  if (found?.value.tenantId !== tenant.id || found.value.client !== clientRequest.client) throw new EntraError(70018);
  const { result, scopes } = found.value;
  if (found.expired) throw new EntraError(70020);
  if (!result) throw new EntraError(70016);
  if (result === "declined") throw new EntraError(7000112);
  authority.deviceCodes.delete(deviceCode);
  return issueForGrant(
    request,
    {
      tenantId: tenant.id,
      clientId: clientRequest.client.appId,
      userId: result.user.id,
      platform: "public",
      scopes,
      mfa: result.mfa,
      handlesChallenges: false,
    },
    { refresh: false },
  );
};
