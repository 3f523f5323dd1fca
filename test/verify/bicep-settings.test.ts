import { afterAll, beforeAll, expect, test } from "vitest";
import type { AuthSettings } from "../../emulators/app-service/index.ts";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { describeWithBicep, only, type Resource } from "../support/bicep.ts";
import { userToken } from "../support/forged-tokens.ts";
import { type Stack, startStack } from "../support/stack.ts";
import { namesOf } from "./reports.ts";

/** App settings that say the same in the local cloud as in Azure. */
const ALIKE = ["TOOLSETS", "ALLOW_WRITES", "INSTANCE_COUNT", "NODE_ENV"];
const PLATFORM = ["WEBSITE_AUTH_AAD_ALLOWED_TENANTS", "WEBSITE_AUTH_PRM_DEFAULT_WITH_SCOPES"];

describeWithBicep("a deployment with the settings that Bicep would set", (copyInfra) => {
  let resources: Record<string, readonly Resource[]>;
  beforeAll(async () => {
    const infra = await copyInfra();
    resources = { default: await infra.snapshot("default"), writes: await infra.snapshot("writes") };
    await infra.close();
  });

  let stack: Stack | undefined;
  afterAll(() => stack?.close());

  test.each(["default", "writes"])("has no findings: %s", async (name) => {
    const config = (part: string) => only(resources[name] ?? [], "Microsoft.Web/sites/config", part).properties;
    const settings = config("appsettings") as Record<string, string>;
    await stack?.close();
    stack = await startStack(
      "easy-auth",
      Object.fromEntries(ALIKE.map((setting) => [setting, settings[setting] ?? ""])),
    );
    const site = stack.appService;
    if (!site) throw new Error("The stack has no App Service.");
    const resolve = resolverFor(stack);
    Object.assign(site.authSettings, JSON.parse(JSON.stringify(config("authsettingsV2")), resolve) as AuthSettings);
    for (const setting of PLATFORM) site.appSettings[setting] = String(resolve("", settings[setting]));
    site.restart();

    const report = await verifyDeployment(new URL(stack.mcpUrl), { token: await userToken(stack) });

    expect(namesOf(report, "finding")).toEqual([]);
    expect(namesOf(report, "ok")).toEqual(expect.arrayContaining(["scopes", "platform", "2026-07-28", "2025-11-25"]));
  });
});

/** Puts what only a deployment would know in the place of ARM's expressions, and the local cloud's addresses into Azure's. */
function resolverFor({ mcpUrl, entra, graph }: Stack) {
  const { host } = new URL(mcpUrl);
  const known: readonly (readonly [RegExp, string])[] = [
    [/reference\('server'\)\.appId/g, `'${CONTOSO.serverAppId}'`],
    [/reference\('client'\)\.appId/g, `'${CONTOSO.sampleClientId}'`],
    [/reference\('[^']*\/sites\/[^']*', '[^']*'\)\.defaultHostName/g, `'${host}'`],
  ];
  return (_name: string, value: unknown): unknown => {
    if (typeof value !== "string") return value;
    return evaluate(known.reduce((text, [pattern, replacement]) => text.replaceAll(pattern, replacement), value))
      .replaceAll("22222222-2222-2222-2222-222222222222", CONTOSO.tenantId)
      .replaceAll("https://login.microsoftonline.com", entra.httpOrigin)
      .replaceAll("https://graph.microsoft.com", graph.origin)
      .replaceAll(`https://${host}`, `http://${host}`);
  };
}

/** A text in quotes, or `format` of such. */
function evaluate(expression: string): string {
  if (!expression.startsWith("[")) return expression;
  const [template = "", ...values] = [...expression.matchAll(/'([^']*)'/g)].map(([, text = ""]) => text);
  return template.replaceAll(/\{(\d)\}/g, (_all, index: string) => values[Number(index)] ?? "");
}
