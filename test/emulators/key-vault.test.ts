import type { TokenCredential } from "@azure/core-auth";
import { SecretClient } from "@azure/keyvault-secrets";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { type KeyVaultOptions, startKeyVault } from "../../emulators/key-vault/index.ts";
import { type Claims, startIssuer } from "../support/easy-auth-issuer.ts";

const TENANT = "11111111-1111-4111-8111-111111111111";
const READER = "44444444-4444-4444-8444-444444444444";
const VAULT = "https://vault.azure.net";
const API = "api-version=2026-04-01";

async function startVault(options: Partial<KeyVaultOptions> = {}) {
  const issuer = await startIssuer(TENANT);
  const vault = await startKeyVault({
    entraOrigin: issuer.origin,
    authority: "https://login.example",
    tenantId: TENANT,
    certificates: inject("certificates"),
    ...options,
  });
  onTestFinished(async () => {
    await Promise.all([vault.close(), issuer.close()]);
  });
  const token = (claims: Claims = {}) => issuer.sign({ aud: VAULT, oid: READER, appid: "client", ...claims });
  const asked: (string | string[])[] = [];
  const client = (claims?: Claims) => {
    const credential: TokenCredential = {
      async getToken(scopes) {
        asked.push(scopes);
        return { token: await token(claims), expiresOnTimestamp: Date.now() + 3_600_000 };
      },
    };
    return new SecretClient(vault.origin, credential, {
      disableChallengeResourceVerification: true,
      retryOptions: { maxRetries: 0 },
    });
  };
  const call = async (path: string, init: RequestInit = {}, claims?: Claims) =>
    fetch(`${vault.origin}${path}`, { ...init, headers: { authorization: `Bearer ${await token(claims)}` } });
  return { vault, issuer, client, call, asked };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("SecretClient", () => {
  test("is challenged first, asks for a token of the vault's resource, and reads the latest version", async () => {
    const { vault, client, asked } = await startVault();
    vault.setSecret("state-key", "old");
    const { version } = vault.setSecret("state-key", "new");
    const secret = await client().getSecret("state-key");
    expect(secret.value).toBe("new");
    expect(secret.properties.version).toBe(version);
    expect(secret.properties.vaultUrl).toBe(vault.origin);
    expect(secret.properties.id).toBe(`${vault.origin}/secrets/state-key/${version}`);
    expect(asked).toEqual([["https://vault.azure.net/.default"]]);
    expect(vault.traffic.requests.map(({ url, headers }) => [url, headers.authorization !== undefined])).toEqual([
      ["/secrets/state-key/?api%2Dversion=2026-04-01", false],
      ["/secrets/state-key/?api%2Dversion=2026-04-01", true],
    ]);
  });

  test("reads a version and its attributes", async () => {
    const { vault, client } = await startVault();
    const [notBefore, expires] = [new Date("2026-01-01T00:00:00Z"), new Date("2026-06-01T00:00:00Z")];
    const { version } = vault.setSecret("state-key", "old", { notBefore, expires });
    vault.setSecret("state-key", "new");
    const { value, properties } = await client().getSecret("state-key", { version });
    expect(value).toBe("old");
    expect(properties.enabled).toBe(true);
    expect(properties.notBefore).toEqual(notBefore);
    expect(properties.expiresOn).toEqual(expires);
    expect(properties.recoveryLevel).toBe("Recoverable+Purgeable");
    expect(Math.abs(Date.now() - (properties.createdOn?.getTime() ?? 0))).toBeLessThan(5000);
    expect(Math.abs(Date.now() - (properties.updatedOn?.getTime() ?? 0))).toBeLessThan(5000);
  });

  test("lists the versions of a secret without values, in the order of their ids", async () => {
    const { vault, client } = await startVault();
    const versions = ["a", "b", "c"].map((value) => vault.setSecret("state-key", value).version);
    vault.setSecret("another", "x");
    const listed = await all(client().listPropertiesOfSecretVersions("state-key"));
    expect(listed.map(({ version }) => version)).toEqual(versions.toSorted());
    expect(JSON.stringify(listed)).not.toContain('"value"');
  });

  test("follows the pages of a long list", async () => {
    const { vault, client } = await startVault();
    for (let index = 0; index < 60; index += 1) vault.setSecret("state-key", String(index));
    const listed = await all(client().listPropertiesOfSecretVersions("state-key"));
    expect(new Set(listed.map(({ version }) => version)).size).toBe(60);
    const pages = vault.traffic.requests.filter(({ headers }) => headers.authorization !== undefined);
    expect(pages.map(({ url }) => new URLSearchParams(url.split("?")[1]).get("$skiptoken"))).toEqual([
      null,
      "25",
      "50",
    ]);
  });

  test("lists the secrets of the vault by name", async () => {
    const { vault, client } = await startVault();
    vault.setSecret("zulu", "1");
    vault.setSecret("alpha", "1", { enabled: false });
    const listed = await all(client().listPropertiesOfSecrets());
    expect(listed.map(({ name, enabled }) => [name, enabled])).toEqual([
      ["alpha", false],
      ["zulu", true],
    ]);
  });

  test.each([
    ["an unknown secret", "nothing", undefined],
    ["an unknown version", "state-key", "0123456789abcdef0123456789abcdef"],
  ])("reports %s as 404 SecretNotFound", async (_, name, version) => {
    const { vault, client } = await startVault();
    vault.setSecret("state-key", "x");
    await expect(client().getSecret(name, version ? { version } : {})).rejects.toMatchObject({
      name: "RestError",
      statusCode: 404,
      code: "SecretNotFound",
      message: expect.stringContaining("was not found in this key vault.") as string,
    });
  });

  test("cannot read a disabled version, even as the latest, and can once it is enabled again", async () => {
    const { vault, client } = await startVault();
    const { version: old } = vault.setSecret("state-key", "old");
    vault.setSecret("state-key", "new");
    const secrets = client();
    vault.updateSecret("state-key", undefined, { enabled: false });
    await expect(secrets.getSecret("state-key")).rejects.toMatchObject({
      statusCode: 403,
      code: "Forbidden",
      details: { error: { code: "Forbidden", innerError: { code: "SecretDisabled" } } },
    });
    expect((await secrets.getSecret("state-key", { version: old })).value).toBe("old");
    vault.updateSecret("state-key", undefined, { enabled: true });
    expect((await secrets.getSecret("state-key")).value).toBe("new");
  });

  test("without the role is refused with 403 ForbiddenByRbac", async () => {
    const { vault, client } = await startVault({ readers: [READER] });
    vault.setSecret("state-key", "x");
    expect((await client().getSecret("state-key")).value).toBe("x");
    await expect(client({ oid: "somebody" }).getSecret("state-key")).rejects.toMatchObject({
      statusCode: 403,
      code: "Forbidden",
      message: expect.stringContaining("oid=somebody") as string,
      details: { error: { innerError: { code: "ForbiddenByRbac" } } },
    });
  });

  test("cannot write with the role of a reader", async () => {
    const { client } = await startVault({ readers: [READER] });
    await expect(client().setSecret("state-key", "x")).rejects.toMatchObject({ statusCode: 403, code: "Forbidden" });
  });

  test.each<[string, Claims, string]>([
    [
      "another audience",
      { aud: "https://graph.microsoft.com" },
      "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://graph.microsoft.com.",
    ],
    [
      "the audience with a slash",
      { aud: "https://vault.azure.net/" },
      "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://vault.azure.net/.",
    ],
    ["a lifetime that has ended", { exp: 1_700_000_000 }, "AKV10076: Token is expired."],
    ["another tenant", { tid: "other" }, "AKV10032: Invalid issuer."],
  ])("with a token with %s is refused with 401", async (_, claims, message) => {
    const { vault, client } = await startVault();
    vault.setSecret("state-key", "x");
    await expect(client(claims).getSecret("state-key")).rejects.toMatchObject({
      statusCode: 401,
      code: "Unauthorized",
      message,
    });
  });

  test("sees throttling as 429", async () => {
    const { vault, client } = await startVault();
    vault.setSecret("state-key", "x");
    // Without the body the SDK throws a TypeError instead of a RestError.
    const body = { error: { code: "Throttled", message: "injected" } };
    vault.traffic.fail({ kind: "status", status: 429, headers: { "retry-after": "1" }, body });
    await expect(client().getSecret("state-key")).rejects.toMatchObject({ statusCode: 429, code: "Throttled" });
    vault.traffic.recover();
    expect((await client().getSecret("state-key")).value).toBe("x");
  });
});

describe("the wire", () => {
  test("a request without a token is challenged with authority and resource", async () => {
    const { vault } = await startVault();
    const response = await fetch(`${vault.origin}/secrets/state-key/?api%2Dversion=2026-04-01`);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe(
      `Bearer authorization="https://login.example/${TENANT}", resource="https://vault.azure.net"`,
    );
    expect(await response.json()).toEqual({
      error: { code: "Unauthorized", message: "AKV10000: Request is missing a Bearer or PoP token." },
    });
  });

  test("a token signed with another key is refused with 401", async () => {
    const { vault, issuer } = await startVault();
    const forged = await issuer.forge({ aud: VAULT, oid: READER });
    const response = await fetch(`${vault.origin}/secrets/x?${API}`, {
      headers: { authorization: `Bearer ${forged}` },
    });
    expect(response.status).toBe(401);
  });

  test("a secret has exactly the documented members", async () => {
    const { vault, call } = await startVault();
    const { version } = vault.setSecret("state-key", "x", { expires: new Date(4102444800000) });
    const response = await call(`/secrets/STATE-KEY/${version}?${API}`);
    expect(await response.json()).toEqual({
      value: "x",
      id: `${vault.origin}/secrets/state-key/${version}`,
      attributes: {
        enabled: true,
        exp: 4102444800,
        created: expect.any(Number) as number,
        updated: expect.any(Number) as number,
        recoveryLevel: "Recoverable+Purgeable",
        recoverableDays: 90,
      },
      tags: {},
    });
  });

  test("maxresults sets the size of a page and nextLink carries it on", async () => {
    const { vault, call } = await startVault();
    for (let index = 0; index < 5; index += 1) vault.setSecret("state-key", String(index));
    const first = (await (await call(`/secrets/state-key/versions?${API}&maxresults=2`)).json()) as {
      value: unknown[];
      nextLink: string;
    };
    expect(first.value).toHaveLength(2);
    expect(first.nextLink).toBe(
      `${vault.origin}/secrets/state-key/versions?api-version=2026-04-01&%24skiptoken=2&maxresults=2`,
    );
    const last = await call(`/secrets/state-key/versions?${API}&maxresults=2&$skiptoken=4`);
    expect(await last.json()).toMatchObject({ value: [{}], nextLink: null });
  });

  test.each([
    ["no api-version", "/secrets/state-key", 400, "BadParameter"],
    ["maxresults above 25", `/secrets?${API}&maxresults=26`, 400, "BadParameter"],
    ["an operation that is not emulated", `/keys/x?${API}`, 404, "NotFound"],
  ])("%s is an error", async (_, path, status, code) => {
    const { call } = await startVault();
    const response = await call(path);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
  });

  test("versions of an unknown secret are an empty list", async () => {
    const { call } = await startVault();
    const response = await call(`/secrets/nothing/versions?${API}`);
    expect(await response.json()).toEqual({ value: [], nextLink: null });
  });

  test("a name that Key Vault would refuse cannot be set, and an unknown version cannot be changed", async () => {
    const { vault } = await startVault();
    expect(() => vault.setSecret("under_score", "x")).toThrow('"under_score" cannot be the name of a secret.');
    expect(() => vault.updateSecret("nothing", "1", {})).toThrow('The vault has no version 1 of secret "nothing".');
  });
});
