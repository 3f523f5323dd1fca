import { request } from "node:https";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { MICROSOFT_GRAPH_APP_ID } from "../../emulators/directory.ts";
import { startTokenIssuer } from "../support/token-issuer.ts";
import { type GraphFixture, problem, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());

const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;
const CHALLENGE =
  'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"';

describe("the error envelope", () => {
  afterEach(() => {
    fixture.graph.switches["graph.innerError"] = "innerError";
  });

  test("G1: an error has code, message, inner ids and a date, and the headers repeat the ids", async () => {
    const { status, headers, body } = await fixture.get("/nope", { headers: { "client-request-id": "my-id-1" } });
    expect(status).toBe(400);
    expect(body).toEqual({
      error: {
        code: "BadRequest",
        message: "Resource not found for the segment 'nope'.",
        innerError: {
          date: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
          "request-id": headers.get("request-id"),
          "client-request-id": "my-id-1",
        },
      },
    });
    expect(headers.get("request-id")).toMatch(GUID);
    expect(headers.get("client-request-id")).toBe("my-id-1");
    expect(headers.get("content-type")).toBe(
      "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8",
    );
  });

  test("G1: without a client-request-id Graph's own id takes its place", async () => {
    const { headers } = await fixture.get("/me");
    expect(headers.get("client-request-id")).toBe(headers.get("request-id"));
    expect(headers.has("x-powered-by")).toBe(false);
  });

  test("G2: the inner object can be spelled innererror", async () => {
    fixture.graph.switches["graph.innerError"] = "innererror";
    const { body } = await fixture.get("/nope");
    expect(Object.keys(body.error ?? {})).toEqual(["code", "message", "innererror"]);
  });

  test("G3: the inner object can be absent", async () => {
    fixture.graph.switches["graph.innerError"] = "absent";
    const { body } = await fixture.get("/nope");
    expect(body).toEqual({ error: { code: "BadRequest", message: "Resource not found for the segment 'nope'." } });
  });
});

describe("authentication", () => {
  const withHeader = (headers: Record<string, string>) => fetch(`${fixture.graph.origin}/v1.0/me`, { headers });

  async function refusal(response: Response) {
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    return [response.status, error.code, error.message, response.headers.get("www-authenticate")];
  }

  test("no token, or another scheme, is 401 with Graph's challenge", async () => {
    const empty = [401, "InvalidAuthenticationToken", "Access token is empty.", CHALLENGE];
    expect(await refusal(await withHeader({}))).toEqual(empty);
    expect(await refusal(await withHeader({ Authorization: "Basic YTpi" }))).toEqual(empty);
  });

  test("what is not a token is 401", async () => {
    const message = "CompactToken parsing failed with error code: 80049217";
    expect(await refusal(await withHeader({ Authorization: "Bearer abc" }))).toEqual([
      401,
      "InvalidAuthenticationToken",
      message,
      CHALLENGE,
    ]);
  });

  test("G13, G15: an expired token is 401, also one that was accepted before", async () => {
    const expired = "Access token has expired or is not yet valid.";
    const now = Math.floor(Date.now() / 1000);
    const old = { Authorization: `Bearer ${await fixture.sign({ exp: now - 1 })}` };
    expect(await refusal(await withHeader(old))).toEqual([401, "InvalidAuthenticationToken", expired, CHALLENGE]);

    const brief = { Authorization: `Bearer ${await fixture.sign({ exp: now + 2 })}` };
    expect((await withHeader(brief)).status).toBe(200);
    await expect.poll(async () => (await withHeader(brief)).status, { timeout: 5000 }).toBe(401);
    expect((await refusal(await withHeader(brief)))[2]).toBe(expired);
  });

  test("G13: a token that is not valid yet is 401 with the same message", async () => {
    const nbf = Math.floor(Date.now() / 1000) + 600;
    expect((await fixture.get("/me", { claims: { nbf } })).body.error?.message).toBe(
      "Access token has expired or is not yet valid.",
    );
  });

  test("G14, G15: a token for another resource is 401, for Graph under any of its names it is not", async () => {
    const wrong = await fixture.get("/me", { claims: { aud: "api://c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10" } });
    expect(problem(wrong)).toEqual([
      401,
      "InvalidAuthenticationToken",
      "Access token validation failure. Invalid audience.",
    ]);
    expect(wrong.headers.get("www-authenticate")).toBe(CHALLENGE);
    const names = [MICROSOFT_GRAPH_APP_ID, "https://graph.microsoft.com", `${fixture.graph.origin}/`];
    const answers = await Promise.all(names.map((aud) => fixture.get("/me", { claims: { aud } })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  });

  test("a token of another tenant or with a foreign signature is 401", async () => {
    expect(problem(await fixture.get("/me", { claims: { tid: "11111111-1111-4111-8111-111111111111" } }))).toEqual([
      401,
      "InvalidAuthenticationToken",
      "Access token validation failure. Invalid issuer.",
    ]);
    const impostor = await startTokenIssuer();
    const token = await impostor.sign({ aud: fixture.graph.origin, tid: fixture.tenant.id, scp: "User.Read" });
    await impostor.close();
    expect((await refusal(await withHeader({ Authorization: `Bearer ${token}` })))[2]).toBe(
      "Access token validation failure. Invalid signature.",
    );
  });

  test("while the keys cannot be had, Graph is unavailable", async () => {
    const other = await startGraphFixture();
    const authorization = { Authorization: `Bearer ${await other.sign()}` };
    await other.issuer.close();
    const response = await fetch(`${other.graph.origin}/v1.0/me`, { headers: authorization });
    await other.graph.close();
    expect((await refusal(response)).slice(0, 2)).toEqual([503, "serviceNotAvailable"]);
  });
});

describe("G16: the claims challenge of continuous access evaluation", () => {
  const claims = '{"access_token":{"nbf":{"essential":true,"value":"1795000000"}}}';
  const challenged = { xms_cc: ["cp1"], iat: 1_794_999_999 };
  beforeAll(() => {
    fixture.graph.switches["graph.requireClaims"] = claims;
  });
  afterAll(() => {
    fixture.graph.switches["graph.requireClaims"] = undefined;
  });

  test("a token with client capability cp1 is 401 insufficient_claims", async () => {
    const answer = await fixture.get("/me", { claims: challenged });
    expect(answer.status).toBe(401);
    expect(answer.body.error?.code).toBe("InvalidAuthenticationToken");
    expect(answer.headers.get("www-authenticate")).toBe(
      `${CHALLENGE}, error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnsibmJmIjp7ImVzc2VudGlhbCI6dHJ1ZSwidmFsdWUiOiIxNzk1MDAwMDAwIn19fQ=="`,
    );
  });

  test("a token without the capability never meets it", async () => {
    expect((await fixture.get("/me", { claims: { iat: 1_794_999_999 } })).status).toBe(200);
  });

  test("a token that was issued after the event satisfies it", async () => {
    expect((await fixture.get("/me", { claims: { ...challenged, iat: 1_795_000_000 } })).status).toBe(200);
  });

  test("a challenge for anything but the time is never satisfied", async () => {
    fixture.graph.switches["graph.requireClaims"] = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}';
    expect((await fixture.get("/me", { claims: { ...challenged, iat: 1_795_000_000 } })).status).toBe(401);
  });
});

describe("faults", () => {
  afterEach(() => fixture.graph.traffic.recover());
  const throttled = { error: { code: "TooManyRequests", message: "Too many requests." } };

  test("G17: 429 with Retry-After, with Graph's ids, then normal again", async () => {
    const { traffic } = fixture.graph;
    traffic.fail({ kind: "status", status: 429, headers: { "Retry-After": "3" }, body: throttled }, { times: 1 });
    const hit = await fixture.get("/me", { headers: { "client-request-id": "abc" } });
    expect(problem(hit)).toEqual([429, "TooManyRequests", "Too many requests."]);
    expect(hit.headers.get("retry-after")).toBe("3");
    expect(hit.headers.get("client-request-id")).toBe("abc");
    expect((await fixture.get("/me")).status).toBe(200);
  });

  test("G18: 429 without Retry-After", async () => {
    fixture.graph.traffic.fail({ kind: "status", status: 429, body: throttled }, { times: 1 });
    const hit = await fixture.get("/me");
    expect(hit.status).toBe(429);
    expect(hit.headers.has("retry-after")).toBe(false);
  });

  test.each([503, 504])("G22: %d can be returned", async (status) => {
    fixture.graph.traffic.fail({ kind: "status", status, body: {} }, { times: 1 });
    expect((await fixture.get("/me")).status).toBe(status);
  });

  test("the latency switch delays every answer", async () => {
    fixture.graph.switches["graph.latencyMs"] = 80;
    const start = performance.now();
    await fixture.get("/me");
    fixture.graph.switches["graph.latencyMs"] = 0;
    expect(performance.now() - start).toBeGreaterThan(75);
  });

  test("requests are recorded as they were sent", async () => {
    fixture.graph.traffic.clear();
    await fixture.get("/users/AdeleV%40contoso.com?$select=id");
    expect(fixture.graph.traffic.requests).toMatchObject([
      { method: "GET", url: "/v1.0/users/AdeleV%40contoso.com?$select=id" },
    ]);
  });
});

describe("requests that make no sense", () => {
  test.each([
    ["/me/shoeRack", 400, "Resource not found for the segment 'shoeRack'."],
    ["/me/people/1/2", 400, "Resource not found for the segment '1'."],
    ["", 400, "Resource not found for the segment ''."],
    ["/users/%ZZ", 400, "Bad Request - Error in path syntax."],
    ["/users/%E0%A4%A/manager", 400, "Bad Request - Error in path syntax."],
    ["/me?$expand=manager", 400, "'$expand' is not supported by the service."],
  ])("%s is %d", async (path, status, message) => {
    expect(problem(await fixture.get(path))).toEqual([status, "BadRequest", message]);
  });

  test("names of segments are not case-sensitive, and a slash at the end is allowed", async () => {
    expect((await fixture.get("/Me/MailboxSettings/")).status).toBe(200);
  });

  test("another version than v1.0 is 400", async () => {
    expect(problem(await fixture.get(`${fixture.graph.origin}/beta/me`))).toEqual([
      400,
      "BadRequest",
      "Invalid version: beta",
    ]);
  });

  test("an operation that does not exist is 405", async () => {
    const headers = { Authorization: `Bearer ${await fixture.sign()}` };
    const response = await fetch(`${fixture.graph.origin}/v1.0/me`, { method: "DELETE", headers });
    expect(response.status).toBe(405);
    expect(await response.json()).toMatchObject({
      error: { code: "BadRequest", message: "Specified HTTP method is not allowed for the request target." },
    });
  });

  test("dot segments that a client did not resolve are refused", async () => {
    const Authorization = `Bearer ${await fixture.sign()}`;
    const status = await new Promise((resolve, reject) => {
      const url = new URL(fixture.graph.origin);
      request({ host: url.hostname, port: url.port, path: "/v1.0/users/../me", headers: { Authorization } }, (res) => {
        res.resume();
        resolve(res.statusCode);
      })
        .on("error", reject)
        .end();
    });
    expect(status).toBe(400);
  });
});
