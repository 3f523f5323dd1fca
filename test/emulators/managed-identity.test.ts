import { randomUUID } from "node:crypto";
import { ManagedIdentityCredential } from "@azure/identity";
import { decodeJwt } from "jose";
import { beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
  type ManagedIdentityEndpoint,
  type ManagedIdentityEndpointOptions,
  startManagedIdentityEndpoint,
} from "../../emulators/app-service/managed-identity.ts";
import { startIssuer } from "../support/easy-auth-issuer.ts";

const TENANT = "11111111-1111-4111-8111-111111111111";
const VAULT = "https://vault.azure.net";

/** An endpoint with two identities; the second one is asked for. */
async function startEndpoint(issueToken?: ManagedIdentityEndpointOptions["issueToken"]) {
  const issuer = await startIssuer(TENANT);
  const identity = { clientId: randomUUID(), principalId: randomUUID() };
  const endpoint = await startManagedIdentityEndpoint({
    identities: [{ clientId: randomUUID(), principalId: randomUUID() }, identity],
    issueToken:
      issueToken ??
      (async ({ principalId }, resource) => {
        const expiresOn = 4102444800;
        const claims = { sub: principalId, oid: principalId, aud: resource, exp: expiresOn };
        return { token: await issuer.sign(claims), expiresOn };
      }),
  });
  onTestFinished(async () => {
    await Promise.all([endpoint.close(), issuer.close()]);
  });
  const ask = (query: Readonly<Record<string, string>>, header: string | undefined = endpoint.header) =>
    fetch(`${endpoint.url}?${new URLSearchParams(query).toString()}`, {
      headers: header === "" ? {} : { "X-IDENTITY-HEADER": header },
    });
  const question = { "api-version": "2019-08-01", resource: VAULT, client_id: identity.clientId };
  return { endpoint, identity, ask, question };
}

describe("34: the managed identity endpoint", () => {
  test("answers a correct request with five fields, expires_on being a string", async () => {
    const { identity, ask, question } = await startEndpoint();
    const response = await ask(question);
    expect(response.status).toBe(200);
    const body = (await response.json()) as Record<string, string>;
    expect(body).toEqual({
      access_token: expect.stringMatching(/^ey/) as string,
      expires_on: "4102444800",
      resource: "https://vault.azure.net",
      token_type: "Bearer",
      client_id: identity.clientId,
    });
    expect(decodeJwt(body["access_token"] ?? "")).toMatchObject({
      sub: identity.principalId,
      oid: identity.principalId,
      aud: "https://vault.azure.net",
    });
  });

  test.each([
    ["without X-IDENTITY-HEADER", ""],
    ["with a wrong X-IDENTITY-HEADER", "00000000-0000-4000-8000-000000000000"],
  ])("answers a request %s with 401", async (_, header) => {
    const { ask, question } = await startEndpoint();
    const response = await ask(question, header);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({
      statusCode: 401,
      message: "X-IDENTITY-HEADER is missing or wrong.",
    });
  });

  test.each([
    ["another api-version", { "api-version": "2017-09-01" }, "The api-version is not supported. Use 2019-08-01."],
    ["an empty api-version", { "api-version": "" }, "The api-version is not supported. Use 2019-08-01."],
    [
      "an unknown client_id",
      { client_id: "55555555-5555-4555-8555-555555555555" },
      "No managed identity with this client_id is assigned to the site.",
    ],
    ["an empty resource", { resource: "" }, "The resource parameter is missing."],
  ])("answers a request with %s with 400", async (_, change, message) => {
    const { ask, question } = await startEndpoint();
    const response = await ask({ ...question, ...change });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ statusCode: 400, message });
  });

  test("knows no system-assigned identity: a request without client_id is answered with 400", async () => {
    const { ask } = await startEndpoint();
    expect((await ask({ "api-version": "2019-08-01", resource: VAULT })).status).toBe(400);
  });

  test("answers 500 when the token cannot be issued", async () => {
    const { ask, question } = await startEndpoint(() => Promise.reject(new Error("no keys")));
    const response = await ask(question);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ statusCode: 500, message: "The token could not be issued." });
  });

  test("uses a new header value each time", async () => {
    const [first, second] = [await startEndpoint(), await startEndpoint()];
    expect(first.endpoint.header).not.toBe(second.endpoint.header);
    expect(first.endpoint.environment()).toEqual({
      IDENTITY_ENDPOINT: first.endpoint.url,
      IDENTITY_HEADER: first.endpoint.header,
    });
  });
});

describe("ManagedIdentityCredential", () => {
  // MSAL keeps the first endpoint that it sees for the whole process, as it does its tokens: one endpoint for all.
  const identities = Array.from({ length: 4 }, () => ({ clientId: randomUUID(), principalId: randomUUID() }));
  let endpoint: ManagedIdentityEndpoint;
  beforeAll(async () => {
    endpoint = await startManagedIdentityEndpoint({
      identities,
      issueToken: ({ principalId }, resource) =>
        Promise.resolve({ token: `${principalId} for ${resource}`, expiresOn: 4102444800 }),
    });
    for (const [name, value] of Object.entries(endpoint.environment())) vi.stubEnv(name, value);
    return () => {
      vi.unstubAllEnvs();
      return endpoint.close();
    };
  });
  beforeEach(() => {
    endpoint.traffic.clear();
    endpoint.traffic.recover();
  });

  test("gets a token of the principal for the resource of its scope, with one request", async () => {
    const [identity] = identities;
    const credential = new ManagedIdentityCredential({ clientId: identity?.clientId ?? "" });
    const { token, expiresOnTimestamp } = await credential.getToken("https://vault.azure.net/.default");
    expect(token).toBe(`${identity?.principalId} for https://vault.azure.net`);
    expect(expiresOnTimestamp).toBe(4102444800000);
    expect(endpoint.traffic.requests.map(({ url }) => url)).toEqual([
      `/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault.azure.net&client_id=${identity?.clientId}`,
    ]);
  });

  test.each([
    [400, 1],
    [401, 2],
    [429, 3],
  ])("reports %d of the endpoint after one request", async (status, index) => {
    const credential = new ManagedIdentityCredential({ clientId: identities[index]?.clientId ?? "" });
    endpoint.traffic.fail({ kind: "status", status, body: { statusCode: status, message: "injected" } });
    await expect(credential.getToken(`${VAULT}/.default`)).rejects.toMatchObject({
      name: "CredentialUnavailableError",
    });
    expect(endpoint.traffic.requests).toHaveLength(1);
  });
});
