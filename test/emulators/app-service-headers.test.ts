import { type IncomingHttpHeaders, request } from "node:http";
import { describe, expect, inject, test } from "vitest";
import { CLIENT_APP, SERVER_APP, type SiteUnderTest, startSite, TENANT, USER } from "./app-service-fixture.ts";

const NONE: IncomingHttpHeaders = {};

interface Principal {
  readonly auth_typ: string;
  readonly name_typ: string;
  readonly role_typ: string;
  readonly claims: readonly { readonly typ: string; readonly val: string }[];
}

function principalOf({ received }: SiteUnderTest): Principal {
  const header = received.at(-1)?.headers["x-ms-client-principal"];
  return JSON.parse(Buffer.from(String(header), "base64").toString()) as Principal;
}

/** Sends header lines as they are, which `fetch` would normalise. */
function sendRaw(url: string, headers: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    request(url, { headers: ["Host", new URL(url).host, ...headers] }, (response) => {
      response.resume().on("end", resolve);
    })
      .on("error", reject)
      .end();
  });
}

const FORGED = [
  ["X-MS-CLIENT-PRINCIPAL", "Zm9yZ2Vk"],
  ["x-ms-client-principal-id", "forged"],
  ["X-Ms-Client-Principal-Name", "forged"],
  ["x-MS-cLiEnT-pRiNcIpAl-IDP", "forged"],
  ["X-MS-CLIENT-PRINCIPAL", "dHdpY2U="],
  ["X-MS-TOKEN-AAD-ACCESS-TOKEN", "forged"],
  ["x-ms-token-aad-id-token", "forged"],
  ["X-Ms-Token-Google-Access-Token", "forged"],
].flat();

describe("27: identity headers sent by a client", () => {
  test.each(["/mcp", "/healthz", "/other"])("do not reach the application at %s", async (path) => {
    const { site, received } = await startSite({
      settings: (settings) => {
        settings.globalValidation = { unauthenticatedClientAction: "AllowAnonymous", excludedPaths: ["/healthz"] };
      },
    });
    await sendRaw(`${site.origin}${path}`, [...FORGED, "X-Kept", "1"]);
    expect(received).toHaveLength(1);
    const names = Object.keys(received[0]?.headers ?? {});
    expect(names).toContain("x-kept");
    expect(names.filter((name) => name.startsWith("x-ms-"))).toEqual([]);
  });

  test("give way to those of the bearer token", async () => {
    const { site, received, token } = await startSite();
    await sendRaw(`${site.origin}/mcp`, [...FORGED, "Authorization", `Bearer ${await token()}`]);
    expect(received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
    expect(received[0]?.headers["x-ms-client-principal-name"]).toBe("adele@contoso.com");
    expect(JSON.stringify(received[0]?.headers)).not.toContain("forged");
  });

  test("cannot be removed by naming them in Connection", async () => {
    const { site, received, token } = await startSite();
    const connection = ["Connection", "x-ms-client-principal, x-ms-client-principal-id"];
    await sendRaw(`${site.origin}/mcp`, [...connection, "Authorization", `Bearer ${await token()}`]);
    expect(received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
  });

  test("have no second Authorization line beside them", async () => {
    const lines: string[] = [];
    const { site, token } = await startSite({
      app: (req, res) => {
        res.end();
        lines.push(...req.rawHeaders.filter((_, index, all) => all[index - 1]?.toLowerCase() === "authorization"));
      },
    });
    const bearer = `Bearer ${await token()}`;
    await sendRaw(`${site.origin}/mcp`, ["Authorization", bearer, "Authorization", "Bearer unchecked"]);
    expect(lines).toEqual([bearer]);
  });

  test("reach the application while authentication is disabled", async () => {
    const { site, received } = await startSite({
      settings: (settings) => {
        settings.platform = { enabled: false };
      },
    });
    await sendRaw(`${site.origin}/mcp`, FORGED);
    expect(received[0]?.headers["x-ms-client-principal-id"]).toBe("forged");
  });
});

describe("28: a valid bearer token", () => {
  test("yields the principal headers, is forwarded itself, and yields no token headers", async () => {
    const { callAs, received, token } = await startSite();
    const bearer = await token();
    await callAs(bearer);
    const headers = received[0]?.headers ?? NONE;
    expect(headers["x-ms-client-principal-id"]).toBe(USER);
    expect(headers["x-ms-client-principal-name"]).toBe("adele@contoso.com");
    expect(headers["x-ms-client-principal-idp"]).toBe("aad");
    expect(headers.authorization).toBe(`Bearer ${bearer}`);
    expect(Object.keys(headers).filter((name) => name.startsWith("x-ms-token-"))).toEqual([]);
  });

  test("is described in base64 JSON with long claim names", async () => {
    const site = await startSite();
    await site.callAs(await site.token({ roles: ["Mcp.Write", "Mcp.Read"], email: "a@contoso.com", idp: "live.com" }));
    const principal = principalOf(site);
    expect(principal.auth_typ).toBe("aad");
    expect(principal.name_typ).toBe("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress");
    expect(principal.role_typ).toBe("http://schemas.microsoft.com/ws/2008/06/identity/claims/role");
    expect(principal.claims).toEqual(
      expect.arrayContaining([
        { typ: "http://schemas.microsoft.com/identity/claims/objectidentifier", val: USER },
        { typ: "http://schemas.microsoft.com/identity/claims/tenantid", val: TENANT },
        { typ: "http://schemas.microsoft.com/identity/claims/scope", val: "user_impersonation" },
        { typ: "http://schemas.microsoft.com/identity/claims/identityprovider", val: "live.com" },
        { typ: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier", val: "subject" },
        { typ: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", val: "a@contoso.com" },
        { typ: "roles", val: "Mcp.Write" },
        { typ: "roles", val: "Mcp.Read" },
        { typ: "aud", val: SERVER_APP },
        { typ: "azp", val: CLIENT_APP },
        { typ: "name", val: "Adele Vance" },
      ]),
    );
    expect(principal.claims.map(({ typ }) => typ)).not.toContain("oid");
    expect(principal.claims.find(({ typ }) => typ === "exp")?.val).toMatch(/^\d+$/);
  });

  test("easyauth.claimNames short and easyauth.nameType name change the description", async () => {
    const site = await startSite({ switches: { "easyauth.claimNames": "short", "easyauth.nameType": "name" } });
    await site.callAs(await site.token());
    expect(principalOf(site).claims).toContainEqual({ typ: "oid", val: USER });
    expect(principalOf(site).name_typ).toBe("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name");
  });

  test("of an application yields no name", async () => {
    const { callAs, received, token } = await startSite();
    await callAs(await token({ preferred_username: undefined, scp: undefined }));
    expect(received[0]?.headers["x-ms-client-principal-id"]).toBe(USER);
    expect(received[0]?.headers).not.toHaveProperty("x-ms-client-principal-name");
  });

  test("with letters outside ASCII in the name is forwarded as UTF-8", async () => {
    const { callAs, received, token } = await startSite();
    await callAs(await token({ preferred_username: "zoë.Ж@contoso.com" }));
    const name = String(received[0]?.headers["x-ms-client-principal-name"]);
    expect(Buffer.from(name, "latin1").toString()).toBe("zoë.Ж@contoso.com");
  });

  test("is withheld with easyauth.forwardAuthorization off and copied with easyauth.tokenHeaderOnBearer", async () => {
    const { callAs, received, token } = await startSite({
      switches: { "easyauth.forwardAuthorization": false, "easyauth.tokenHeaderOnBearer": true },
    });
    const bearer = await token();
    await callAs(bearer);
    expect(received[0]?.headers).not.toHaveProperty("authorization");
    expect(received[0]?.headers["x-ms-token-aad-access-token"]).toBe(bearer);
  });
});

describe("headers of the front end", () => {
  test("describe the client and the site, and replace forged ones", async () => {
    const { site, received, token } = await startSite({ siteName: "contoso-mcp" });
    const forged = ["CLIENT-IP", "6.6.6.6:1", "X-ARR-SSL", "forged", "X-Forwarded-Proto", "gopher"];
    const chain = ["X-Forwarded-For", "203.0.113.7"];
    await sendRaw(`${site.origin}/mcp?a=%2F`, [...forged, ...chain, "Authorization", `Bearer ${await token()}`]);
    const headers = received[0]?.headers ?? NONE;
    const host = new URL(site.origin).host;
    expect(headers["x-forwarded-for"]).toMatch(/^203\.0\.113\.7, 127\.0\.0\.1:\d+$/);
    expect(headers["client-ip"]).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(headers["x-forwarded-proto"]).toBe("http");
    expect(headers).not.toHaveProperty("x-arr-ssl");
    expect(headers["disguised-host"]).toBe(host);
    expect(headers["was-default-hostname"]).toBe(host);
    expect(headers["x-site-deployment-id"]).toBe("contoso-mcp");
    expect(headers["x-original-url"]).toBe("/mcp?a=%2F");
    expect(headers["x-arr-log-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("say https, with X-ARR-SSL, when the front end speaks TLS", async () => {
    const { site, callAs, received, token } = await startSite({ certificates: inject("certificates") });
    expect(site.origin).toMatch(/^https:/);
    await callAs(await token());
    expect(received[0]?.headers["x-forwarded-proto"]).toBe("https");
    expect(received[0]?.headers["x-forwarded-tlsversion"]).toBe("1.3");
    expect(received[0]?.headers).toHaveProperty("x-arr-ssl");
  });

  test("leave Host as the client sent it and drop hop-by-hop headers", async () => {
    const { site, received, token } = await startSite();
    const hop = ["Connection", "keep-alive, X-Private", "X-Private", "1", "TE", "trailers", "Keep-Alive", "timeout=5"];
    await sendRaw(`${site.origin}/mcp`, [...hop, "Authorization", `Bearer ${await token()}`]);
    const headers = received[0]?.headers ?? NONE;
    expect(headers.host).toBe(new URL(site.origin).host);
    expect(Object.keys(headers).filter((name) => /^(x-private|te|keep-alive)$/.test(name))).toEqual([]);
  });
});
