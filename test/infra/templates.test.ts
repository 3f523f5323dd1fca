import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type BicepRun, describeWithBicep, type Infra, isBicepMissing } from "../support/bicep.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Template {
  readonly parameters: Readonly<Record<string, { type?: string; defaultValue?: string | number | boolean }>>;
  readonly outputs: Readonly<Record<string, unknown>>;
}

if (isBicepMissing) console.warn("NOT CHECKED: infra/. No Bicep CLI found; set BICEP_PATH.");

describeWithBicep("the templates", (copyInfra) => {
  let infra: Infra;
  let run: BicepRun;
  let template: Template;

  beforeAll(async () => {
    infra = await copyInfra();
    run = await infra.build();
    template = JSON.parse(run.stdout) as Template;
  });
  afterAll(async () => infra?.close());

  test("compile without an error or a warning", () => {
    expect(run.diagnostics).toEqual([]);
    expect(run.exitCode).toBe(0);
  });

  test("main.parameters.json has every option, with the template's own default", async () => {
    const file = JSON.parse(await readFile(join(ROOT, "infra/main.parameters.json"), "utf8")) as {
      parameters: Record<string, { value: string }>;
    };
    const offered = Object.entries(file.parameters).map(([name, { value }]) => {
      const [, text] = /^\$\{(?:MCP|AZURE)_\w+(?:=(.*))?\}$/.exec(value) ?? [undefined, `not a variable: ${value}`];
      return [name, text];
    });
    const declared = Object.entries(template.parameters)
      .filter(([name]) => name !== "cloudName")
      .map(([name, { defaultValue }]) => [name, defaultValue?.toString()]);
    expect(Object.fromEntries(offered)).toEqual(Object.fromEntries(declared));
  });

  test("the signing key is a secure parameter with a value of its own in every deployment", () => {
    const [vault] = [...run.stdout.matchAll(/"signingKey": \{\s*"type": "securestring",\s*"defaultValue": "([^"]+)"/g)];
    expect(vault?.[1]).toBe("[format('{0}{1}', newGuid(), newGuid())]");
  });

  test("the secret is made only where it is not there yet: a second deployment rotates nothing", () => {
    const options = [...run.stdout.matchAll(/"@options":\s*\{\s*"onlyIfNotExists":/g)];
    // The secret, and the binding of a custom domain.
    expect(options).toHaveLength(2);
  });

  test("no output and no parameter of main carries a secret", () => {
    expect(Object.keys(template.outputs).sort()).toEqual([
      "AZURE_KEY_VAULT_NAME",
      "AZURE_LOCATION",
      "AZURE_RESOURCE_GROUP",
      "AZURE_TENANT_ID",
      "ENTRA_AUTHORITY",
      "ENTRA_CLIENT_ID",
      "MCP_CLIENT_ID",
      "MCP_DOMAIN_VERIFICATION_ID",
      "MCP_IDENTITY_PRINCIPAL_ID",
      "MCP_SERVER_URL",
      "SERVICE_MCP_DEFAULT_HOSTNAME",
      "SERVICE_MCP_NAME",
      "SERVICE_MCP_PLAN_SKU",
    ]);
    expect(Object.values(template.parameters).map(({ type }) => type)).not.toContain("securestring");
    expect(run.stdout).not.toMatch(/listKeys|listSecrets|passwordCredentials|primarySharedKey/i);
  });

  test("options that exclude each other are refused with a sentence, before anything is made", async () => {
    const reason = await infra.refusal("refused");
    expect(reason).toContain("customDomain is the site's, and with apiManagement clients do not call the site");
    expect(reason).toContain("apiManagement needs contactEmail.");
    expect(reason).toContain("stagingSlot and maximumInstances need a planSku from P0v3 on.");
    const ofBroker = await infra.refusal("refused-broker");
    expect(ofBroker).toContain("apiManagement lets tokens of Entra ID through only");
    expect(ofBroker).toContain("broker needs redis from the second instance on");
  });
});
