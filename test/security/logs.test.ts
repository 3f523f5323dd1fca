import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Fault } from "../../emulators/kernel/traffic.ts";
import { claimsOf, createForger, type Forger, principalHeader, userToken } from "../support/forged-tokens.ts";
import { CLIENTS, connect } from "../support/mcp-clients.ts";
import { ERAS, mcpRequest, toolCall } from "../support/mcp-messages.ts";
import { type RawHeader, type RawRequest, sendRaw } from "../support/raw-http.ts";
import { startServerProcess } from "../support/server-process.ts";
import { type AuthMode, type Stack, startStack } from "../support/stack.ts";
import { startWireTap, type WireTap } from "../support/wire-tap.ts";

/** In everything that this test plants. */
const CANARY = "c4n4ry";

describe.each<AuthMode>(["bearer", "easy-auth"])("what the server writes in AUTH_MODE=%s", (mode) => {
  let stack: Stack;
  let forger: Forger;
  let tap: WireTap;
  let settings: Record<string, string>;
  let ready: string;
  const written: string[] = [];
  const lines: Record<string, unknown>[] = [];
  beforeAll(async () => {
    tap = startWireTap();
    stack = await startStack(mode);
    // Telemetry whole, so that what is planted has every way out that there is.
    settings = {
      LOG_LEVEL: "debug",
      TOOL_TIMEOUT_SECONDS: "1",
      APPLICATIONINSIGHTS_CONNECTION_STRING: stack.appInsights.connectionString,
      TRACES_PER_SECOND: "1000",
      REQUESTS_PER_MINUTE: "100000",
      CALLS_PER_MINUTE: "100000",
    };
    await stack.restart(settings);
    forger = await createForger(stack);
    await provokeEverything();
    // A server that met none of the failures: what it says of itself is then the same in each run.
    keepOutput();
    await stack.restart(settings);
    ready = (await send(undefined, { method: "GET", target: "/readyz" }))?.body ?? "";
    // What waits is sent at the end.
    await stack.server.stop();
    keepOutput();
  }, 120_000);
  afterAll(async () => {
    tap.stop();
    await stack.close();
  });

  const keepOutput = () => {
    written.push(stack.server.output());
    lines.push(...stack.server.log);
  };
  const planted = (user = "AdeleV", claims: Readonly<Record<string, unknown>> = {}) =>
    userToken(stack, user, {
      claims: { name: `${CANARY} name`, preferred_username: `${CANARY}@contoso.com`, sub: CANARY, ...claims },
    });
  const send = (token: string | undefined, { headers = [], ...request }: RawRequest) => {
    const own: RawHeader[] = [
      ["User-Agent", `${CANARY} agent`],
      ["X-Forwarded-For", CANARY],
      ["Cookie", `${CANARY}=${CANARY}`],
    ];
    const signedIn: RawHeader[] = token === undefined ? [] : [["Authorization", `Bearer ${token}`]];
    const identity: RawHeader[] =
      mode === "easy-auth" && token !== undefined ? [["X-MS-CLIENT-PRINCIPAL", identityOf(token)]] : [];
    return sendRaw(stack.serverOrigin, { ...request, headers: [...signedIn, ...identity, ...own, ...headers] }).catch(
      () => undefined,
    );
  };

  const unreadable = (status: number) => ({
    kind: "status" as const,
    status,
    headers: { "retry-after": "30", "request-id": `${CANARY}-request`, "www-authenticate": `Bearer realm="${CANARY}"` },
    body: {
      error: { code: CANARY, message: CANARY, innerError: { "request-id": CANARY } },
      error_description: `AADSTS70000: ${CANARY}`,
      error_codes: [CANARY],
    },
  });

  async function provokeEverything(): Promise<void> {
    const good = await planted();

    for (const kind of CLIENTS) {
      const client = await connect(kind, stack.mcpUrl, { token: good, headers: { "X-Canary": CANARY } });
      await client.call("get_my_profile", { include_mailbox: true });
      await client.call("search_people", { query: CANARY });
      await client.call("search_people", { query: "alex", scope: "directory", limit: 1 });
      await client.call("get_user", { user: `${CANARY}@contoso.com`, include_reports: true });
      await client.call("get_user", { user: CANARY, [CANARY]: CANARY });
      await client.call("search_people", { query: CANARY, cursor: CANARY });
      await client.call(CANARY, { [CANARY]: CANARY }).catch(() => undefined);
      await client.close();
    }

    // Refused at the door.
    const claims = { ...claimsOf(good), name: CANARY };
    const refused = [
      CANARY,
      `${CANARY}.${CANARY}.${CANARY}`,
      await planted("AdeleV", { aud: CANARY }),
      await planted("AdeleV", { iss: `https://${CANARY}.example` }),
      await planted("AdeleV", { azp: CANARY }),
      await planted("AdeleV", { oid: CANARY }),
      await planted("AdeleV", { scp: CANARY }),
      await planted("AdeleV", { exp: 1 }),
      await forger.sign(claims, { kid: CANARY }),
      await forger.sign({ ...claims, iss: CANARY }, { kid: forger.published.kid }),
      forger.unsigned(claims, { alg: CANARY, kid: CANARY }),
    ];
    for (const token of refused) await send(token, toolCall("get_my_profile"));
    await send(undefined, { headers: [["Authorization", `Basic ${CANARY}`]] });
    await send(undefined, { headers: [["X-MS-CLIENT-PRINCIPAL", Buffer.from(CANARY).toString("base64")]] });
    await send(good, { headers: [["X-MS-CLIENT-PRINCIPAL", CANARY]] });
    await send(good, { headers: [["X-MS-TOKEN-AAD-ACCESS-TOKEN", CANARY]] });

    // Protocol errors.
    for (const era of ERAS) {
      const { headers, body } = toolCall("get_user", { user: "x" }, era);
      await send(good, { headers, body: `{"${CANARY}` });
      await send(good, { headers, body: `"${CANARY}"` });
      await send(good, { headers, body: body.replace('"id":1', `"id":"${CANARY}"`) });
      await send(good, { headers, body: body.replace("get_user", CANARY) });
      await send(good, mcpRequest(era, CANARY, { [CANARY]: CANARY }));
      await send(good, mcpRequest(era, "notifications/cancelled", { requestId: CANARY, reason: CANARY }));
      await send(good, { headers: [["Mcp-Session-Id", CANARY], ...headers], body });
      await send(good, { headers: [["Mcp-Name", CANARY], ...headers], body });
      await send(good, { headers: [["MCP-Protocol-Version", CANARY], ...headers], body });
      await send(good, { headers: [["Origin", `https://${CANARY}.example`], ...headers], body });
      await send(good, { headers: [["Host", `${CANARY}.example`], ...headers], body });
      await send(good, { headers: [["Content-Type", CANARY]], body });
      await send(good, { headers, body: JSON.stringify({ x: CANARY.repeat(900_000) }) });
    }
    for (const target of [
      `/${CANARY}`,
      `/mcp?${CANARY}=${CANARY}`,
      `/mcp/${CANARY}`,
      `/%zz${CANARY}`,
      `http://${CANARY}/mcp`,
    ]) {
      await send(good, { target, ...toolCall("get_my_profile") });
      await send(undefined, { target, method: "GET" });
    }
    await send(undefined, { headers: [["X-Filler", CANARY.repeat(20_000)]] });
    await send(undefined, { headers: [[CANARY, `${CANARY}\r\n${CANARY}`]] });

    // Graph and Entra failing, in words of their own.
    const withToken = async (fault: Fault) => {
      for (const traffic of [stack.graph.traffic, stack.entra.traffic]) {
        traffic.fail(fault, { path: /token|v1\.0/ });
        await send(await planted(), toolCall("search_people", { query: CANARY }));
        traffic.recover();
      }
    };
    for (const status of [200, 302, 400, 401, 403, 404, 429, 500, 503]) await withToken(unreadable(status));
    for (const kind of ["garbage", "reset", "hang"] as const) await withToken({ kind });
    const invalidClient = { error: "invalid_client", error_codes: [700213], error_description: CANARY };
    await withToken({ kind: "status", status: 401, body: invalidClient });
    stack.graph.traffic.fail({
      kind: "status",
      status: 200,
      body: { value: [{ id: { [CANARY]: 1 }, displayName: CANARY }], "@odata.nextLink": `https://${CANARY}.example` },
    });
    await send(good, toolCall("search_people", { query: CANARY }));
    await send(good, toolCall("get_user", { user: CANARY, include_reports: true }));
    stack.graph.traffic.recover();

    // People who need something else first.
    for (const user of ["LeeG", "MeganB", "DiegoS", "sam"]) await send(await planted(user), toolCall("get_my_profile"));

    // The vault and the managed identity endpoint failing likewise, at the start.
    for (const traffic of [stack.keyVault.traffic, stack.managedIdentity.traffic]) {
      keepOutput();
      traffic.fail(unreadable(403));
      await stack.restart(settings);
      await send(good, toolCall("search_people", { query: "a", scope: "directory", limit: 1 }));
      traffic.recover();
    }
  }

  test("covers every kind of refusal, so that the absences below mean something", () => {
    const reasons = new Set(lines.map(({ reason }) => reason));
    for (const reason of [
      "missing_token",
      "invalid_token",
      "insufficient_scope",
      ...(mode === "easy-auth" ? ["principal_mismatch"] : []),
      "invalid_arguments",
      "invalid_cursor",
      "not_found",
      "forbidden",
      "throttled",
      "unavailable",
      "misconfigured",
      "consent_required",
      "interaction_required",
    ]) {
      expect(reasons).toContain(reason);
    }
    expect(lines.some(({ msg }) => msg === "Key Vault could not be read")).toBe(true);
  });

  test("holds nothing that a caller, Graph or Entra put into words", () => {
    expect(written.flatMap((text) => text.split("\n")).filter((line) => line.includes(CANARY))).toEqual([]);
  });

  test("holds no token, assertion or secret", () => {
    const text = written.join("\n");
    const sent = [
      ...tap.requests.map(({ headers }) => String(headers["authorization"])),
      ...tap.requests.map(({ headers }) => String(headers["x-identity-header"])),
      ...tap.requests.flatMap(({ body }) => Array.from(new URLSearchParams(body()).values())),
    ];
    const clientIds = /^(c4f2c6a1|2f8e4d6a)/;
    const secrets = new Set(
      sent
        .map((value) => value.replace(/^Bearer /i, ""))
        .filter((value) => value.startsWith("eyJ") || (/^[\da-f-]{36}$/.test(value) && !clientIds.test(value))),
    );

    expect(secrets.size).toBeGreaterThan(20);
    expect(text).not.toContain("eyJ");
    expect([...secrets].filter((secret) => text.includes(secret))).toEqual([]);
  });

  test("is sent to telemetry without any of it either, and /readyz has none", () => {
    const items = stack.appInsights.items;
    const kinds = new Set(items.map(({ data }) => data.baseType));
    expect([...kinds].sort()).toEqual(["EventData", "MetricData", "RemoteDependencyData", "RequestData"]);
    expect(items.filter(({ data }) => data.baseType === "RequestData").length).toBeGreaterThan(20);

    for (const item of items.map((one) => JSON.stringify(one))) {
      expect(item).not.toContain(CANARY);
      expect(item).not.toContain("eyJ");
      expect(item).not.toMatch(/Adele|Vance|@contoso|Megan|Bowen|\/v1\.0|\$search/);
    }
    expect(JSON.parse(ready)).toMatchObject({ status: "ok" });
    expect(ready).not.toContain(CANARY);
  });

  test("names people by their object id only", () => {
    const text = written.join("\n");
    for (const word of ["Adele", "Vance", "@contoso.com", "Megan", "Bowen", "Lee Gu", "Diego", "Seattle", "Retail"]) {
      expect(text).not.toContain(word);
    }
  });

  test("is one JSON object per line, with fields of a fixed list", () => {
    const fields = new Set(lines.flatMap((line) => Object.keys(line)));
    const plain = [
      "level",
      "time",
      "msg",
      "port",
      "url",
      "authMode",
      "error",
      "aadsts",
      "secret",
      "keysKnown",
      "signal",
    ];
    const audit = ["audit", "decision", "outcome", "reason", "tool", "requestId", "userId", "tenantId", "clientId"];
    const ids = ["version", "tokenId", "toolDigest", "clientRequestId", "traceId", "graphRequestId"];
    const known = new Set([...plain, ...audit, ...ids, "durationMs", "resultTokens"]);
    expect([...fields].filter((field) => !known.has(field))).toEqual([]);
    for (const text of written) for (const line of text.trimEnd().split("\n")) expect(line).toMatch(/^\{.*\}$/);
  });

  test("has no fault of the server among them", () => {
    expect(lines.filter(({ msg }) => msg === "A request failed unexpectedly")).toEqual([]);
  });
});

describe("settings that hold something secret", () => {
  test("are not repeated when they are wrong", async () => {
    const server = await startServerProcess({
      AUTH_MODE: "bearer",
      MCP_SERVER_URL: `https://user:${CANARY}@contoso.example/mcp`,
      AZURE_TENANT_ID: CANARY,
      KEY_VAULT_URL: `https://${CANARY}`,
      STATE_SECRET_NAME: `${CANARY} !`,
      IDENTITY_HEADER: CANARY,
    });

    expect(await server.exit).toBe(1);
    expect(server.output()).toContain("MCP_SERVER_URL");
    expect(server.output()).not.toContain(CANARY);
  });
});

function identityOf(token: string): string {
  try {
    return principalHeader(claimsOf(token));
  } catch {
    return Buffer.from(CANARY).toString("base64");
  }
}
