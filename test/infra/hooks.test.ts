import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Deployer, startDeployer } from "../support/deployer.ts";

const SUBSCRIPTION = "/subscriptions/11111111-1111-1111-1111-111111111111";
const PERMISSIONS = `GET ${SUBSCRIPTION}/providers/Microsoft.Authorization/permissions`;
const VAULTS = `GET ${SUBSCRIPTION}/providers/Microsoft.KeyVault/deletedVaults`;
const ACCOUNTS = `GET ${SUBSCRIPTION}/providers/Microsoft.CognitiveServices/deletedAccounts`;
const GATEWAYS = `GET ${SUBSCRIPTION}/providers/Microsoft.ApiManagement/deletedservices`;
const BIN = "GET /v1.0/directory/deletedItems/microsoft.graph.application";
const POLICY = "GET /v1.0/policies/authorizationPolicy";
const NAME = "azure-graph-mcp-contoso-11111111-1111-1111-1111-111111111111";
const APPLICATION_ADMINISTRATOR = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3";
const OWNER = { actions: ["*"], notActions: [] };

const deletedVault = {
  id: `${SUBSCRIPTION}/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/kv-x`,
  name: "kv-x",
  properties: {
    vaultId: `${SUBSCRIPTION}/resourceGroups/rg-contoso/providers/Microsoft.KeyVault/vaults/kv-x`,
    location: "westeurope",
    scheduledPurgeDate: "2027-02-20T12:00:00Z",
  },
};
const server = { id: "1", appId: "a1", displayName: "Azure Graph MCP (contoso)", uniqueName: NAME };
const client = {
  id: "2",
  appId: "a2",
  displayName: "Azure Graph MCP (contoso) (clients)",
  uniqueName: `${NAME}-client`,
};

let deployer: Deployer;

beforeEach(async () => {
  deployer = await startDeployer();
  deployer.claims = { wids: [APPLICATION_ADMINISTRATOR] };
  Object.assign(deployer.answers, {
    [PERMISSIONS]: { body: { value: [OWNER] } },
    [VAULTS]: { body: { value: [] } },
    [ACCOUNTS]: { body: { value: [] } },
    [GATEWAYS]: { body: { value: [] } },
    [BIN]: { body: { value: [] } },
    [POLICY]: { body: { defaultUserRolePermissions: { allowedToCreateApps: true } } },
  });
});
afterEach(async () => deployer.close());

describe("before provisioning", () => {
  test("an owner who administers applications hears that nothing stands in the way, and nothing is changed", async () => {
    const { exitCode, stdout, stderr } = await deployer.run("preflight.ts");
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("Nothing stands in the way of the deployment.");
    expect(deployer.requests.every((request) => request.startsWith("GET "))).toBe(true);
    expect((await deployer.commands()).some((command) => command.startsWith("azd env set"))).toBe(false);
  });

  test("without a sign-in it says how to sign in, and never prints a token", async () => {
    deployer.claims = {};
    const { exitCode, stdout, stderr } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("azd auth login");
    expect(stdout + stderr).not.toContain("canary");
  });

  test("a contributor, who may not give roles, is told what to be given", async () => {
    deployer.answers[PERMISSIONS] = {
      body: {
        value: [
          { actions: ["*"], notActions: ["Microsoft.Authorization/*/Write", "Microsoft.Authorization/*/Delete"] },
        ],
      },
    };
    const { exitCode, stderr } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("You lack Microsoft.Authorization/roleAssignments/write on the subscription.");
    expect(stderr).toContain("Role Based Access Control Administrator");
  });

  test("rights of several roles add up", async () => {
    deployer.answers[PERMISSIONS] = {
      body: {
        value: [
          { actions: ["*"], notActions: ["Microsoft.Authorization/*/Write"] },
          { actions: ["Microsoft.Authorization/roleAssignments/write"], notActions: [] },
        ],
      },
    };
    expect((await deployer.run("preflight.ts")).exitCode).toBe(0);
  });

  test("who may not make registrations is told how to bring one, and with one may go on", async () => {
    deployer.claims = { wids: ["b79fbf4d-3ef9-4689-8143-76b194e85509"] };
    deployer.answers[POLICY] = { body: { defaultUserRolePermissions: { allowedToCreateApps: false } } };
    const refused = await deployer.run("preflight.ts");
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("azd env set MCP_REGISTRATION_CLIENT_ID <client id>");
    const brought = await deployer.run("preflight.ts", {
      MCP_REGISTRATION_CLIENT_ID: "0c1d2e3f-0000-4000-8000-00000000c1d2",
    });
    expect(brought.exitCode).toBe(0);
  });

  test("an ordinary user hears that an administrator has to consent", async () => {
    deployer.claims = { wids: ["b79fbf4d-3ef9-4689-8143-76b194e85509"] };
    const { exitCode, stdout } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("one has to consent to the Graph permissions");
  });

  test("a pipeline that would not own its registrations is stopped before the second run would be", async () => {
    deployer.claims = { idtyp: "app", roles: ["Application.ReadWrite.OwnedBy"] };
    const { exitCode, stderr } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("Grant it Application.ReadWrite.All.");
    deployer.claims = { idtyp: "app", roles: ["Application.ReadWrite.All"] };
    expect((await deployer.run("preflight.ts")).exitCode).toBe(0);
  });

  test("a vault that azd down left is taken back, and only then", async () => {
    deployer.answers[VAULTS] = { body: { value: [deletedVault] } };
    const elsewhere = await deployer.run("preflight.ts", { AZURE_LOCATION: "northeurope" });
    expect(elsewhere.stdout).not.toContain("taken back");
    const { exitCode, stdout } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("The key vault kv-x of an earlier deployment is taken back, with its signing key.");
    expect(await deployer.commands()).toContain("azd env set MCP_KEY_VAULT_CREATE_MODE recover");
    deployer.answers[VAULTS] = {
      body: {
        value: [
          {
            ...deletedVault,
            properties: { vaultId: deletedVault.properties.vaultId.replace("rg-contoso", "rg-contoso2") },
          },
        ],
      },
    };
    await deployer.run("preflight.ts", { MCP_KEY_VAULT_CREATE_MODE: "recover" });
    expect(await deployer.commands()).toContain("azd env set MCP_KEY_VAULT_CREATE_MODE default");
  });

  test("a vault on a later page of the bin is found, and the token goes nowhere else for it", async () => {
    deployer.answers[VAULTS] = {
      body: { value: [], nextLink: `https://evil.example${VAULTS.slice("GET ".length)}?page=2` },
    };
    deployer.answers[`${VAULTS}?page=2`] = { body: { value: [deletedVault] } };
    const { exitCode, stdout } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("The key vault kv-x of an earlier deployment is taken back");
  });

  test("a deleted registration that keeps its unique name stops the deployment, with both ways out", async () => {
    deployer.answers[BIN] = { body: { value: [server, { ...server, id: "3", uniqueName: "another" }] } };
    const { exitCode, stderr } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(1);
    expect(stderr.match(/keeps its unique name/g)).toHaveLength(1);
    expect(stderr).toContain("azd env set MCP_REMOVE_REGISTRATIONS true && azd hooks run postdown");
    expect(stderr).toContain("Or restore it");
  });

  test("deleted services whose names are taken are named with the command that frees them", async () => {
    const id = `${SUBSCRIPTION}/providers/x/locations/westeurope/resourceGroups/rg-contoso/deletedAccounts/cs-x`;
    deployer.answers[ACCOUNTS] = { body: { value: [{ id, name: "cs-x", location: "westeurope" }] } };
    expect((await deployer.run("preflight.ts")).exitCode).toBe(0);
    const { exitCode, stderr } = await deployer.run("preflight.ts", { MCP_PROMPT_SHIELDS: "block" });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "az cognitiveservices account purge --name cs-x --resource-group rg-contoso --location westeurope",
    );
    deployer.answers[GATEWAYS] = { body: { value: [{ id, name: "apim-x", location: "westeurope" }] } };
    const gateway = await deployer.run("preflight.ts", {
      MCP_API_MANAGEMENT: "True",
      MCP_CONTACT_EMAIL: "adele@contoso.com",
    });
    expect(gateway.stderr).toContain('az apim deletedservice purge --service-name apim-x --location "westeurope"');
  });

  test("options that do not go together or are misspelt are all reported at once", async () => {
    const { exitCode, stderr } = await deployer.run("preflight.ts", {
      MCP_API_MANAGEMENT: "true",
      MCP_CUSTOM_DOMAIN: "mcp.contoso.com",
      MCP_REDIS: "yes",
      MCP_WRITERS: "adele@contoso.com",
      MCP_PLAN_SKU: "B1",
      MCP_MAXIMUM_INSTANCES: "3",
      MCP_PROMPT_SHIELDS: "on",
      MCP_PROMPT_SHIELDS_ARGUMENTS: "true",
    });
    expect(exitCode).toBe(1);
    expect(stderr.split("\n").filter(Boolean)).toEqual([
      "x MCP_REDIS must be true or false.",
      "x MCP_PROMPT_SHIELDS must be off, annotate or block.",
      "x MCP_PROMPT_SHIELDS_ARGUMENTS needs Prompt Shields: azd env set MCP_PROMPT_SHIELDS annotate",
      "x MCP_WRITERS must be GUIDs, separated by commas.",
      "x MCP_CUSTOM_DOMAIN is the site's; with MCP_API_MANAGEMENT clients do not call the site. Leave one out.",
      "x MCP_API_MANAGEMENT needs an address: azd env set MCP_CONTACT_EMAIL <address>",
      "x MCP_STAGING_SLOT and MCP_MAXIMUM_INSTANCES need a larger plan: azd env set MCP_PLAN_SKU P0v3",
    ]);
  });

  test("a broker does not go with a gateway, nor with several instances without Redis", async () => {
    const { exitCode, stdout, stderr } = await deployer.run("preflight.ts", {
      MCP_BROKER: "true",
      MCP_API_MANAGEMENT: "true",
      MCP_CONTACT_EMAIL: "adele@contoso.com",
      MCP_MAXIMUM_INSTANCES: "2",
      MCP_ALLOWED_CLIENT_IDS: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    });
    expect(exitCode).toBe(1);
    expect(stderr.split("\n").filter(Boolean)).toEqual([
      "x MCP_API_MANAGEMENT lets tokens of Entra ID through only; with MCP_BROKER clients have the server's own. Leave one out.",
      "x MCP_BROKER on several instances keeps its sign-ins in Redis: azd env set MCP_REDIS true, or MCP_MAXIMUM_INSTANCES 1",
    ]);
    expect(stdout).toContain("MCP_CLIENT_REDIRECT_URIS and MCP_ALLOWED_CLIENT_IDS do nothing.");
    expect((await deployer.run("preflight.ts", { MCP_BROKER: "true", MCP_REDIS: "true" })).exitCode).toBe(0);
  });

  test("one instance of a broker without Redis, and a page that is open to all, are notes", async () => {
    const broker = await deployer.run("preflight.ts", { MCP_BROKER: "true", MCP_PUBLIC_LANDING_PAGE: "true" });
    expect(broker.exitCode).toBe(0);
    expect(broker.stdout).toContain("MCP_BROKER without MCP_REDIS: a restart signs everybody out.");
    expect(broker.stdout).not.toContain("excludes /");
    const page = await deployer.run("preflight.ts", { MCP_PUBLIC_LANDING_PAGE: "true" });
    expect(page.exitCode).toBe(0);
    expect(page.stdout).toContain("MCP_PUBLIC_LANDING_PAGE excludes / from App Service Authentication");
  });

  test("what cannot be looked at is a note, not an obstacle", async () => {
    deployer.answers[BIN] = { status: 403 };
    const { exitCode, stdout } = await deployer.run("preflight.ts");
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "Could not be checked (GET /v1.0/directory/deletedItems/microsoft.graph.application: HTTP 403).",
    );
  });

  test("the first run, before azd has asked for a subscription, checks the rest", async () => {
    const { exitCode, stdout } = await deployer.run("preflight.ts", { AZURE_SUBSCRIPTION_ID: "" });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("azd asks for the subscription in a moment.");
  });

  test("every option that a hook reads is one of main.parameters.json", async () => {
    const root = join(import.meta.dirname, "../..");
    const parameters = await readFile(join(root, "infra/main.parameters.json"), "utf8");
    const known = new Set([...parameters.matchAll(/\$\{(\w+)/g)].map(([, name]) => name));
    const hooks = await Promise.all(
      ["options.ts", "preflight.ts", "costs.ts", "postdeploy.ts"].map(async (name) =>
        readFile(join(root, "infra/hooks", name), "utf8"),
      ),
    );
    const read = new Set(hooks.join("").match(/(?<=")MCP_\w+(?=")/g));
    read.delete("MCP_SERVER_URL");
    expect([...read].filter((name) => !known.has(name))).toEqual([]);
    expect(read.size).toBeGreaterThan(15);
  });
});

describe("after provisioning", () => {
  const outputs = {
    MCP_SERVER_URL: "https://app-mcp.azurewebsites.net/mcp",
    SERVICE_MCP_DEFAULT_HOSTNAME: "app-mcp.azurewebsites.net",
    SERVICE_MCP_PLAN_SKU: "B1",
    ENTRA_AUTHORITY: "https://login.microsoftonline.com",
    ENTRA_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    MCP_CLIENT_ID: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
    MCP_DOMAIN_VERIFICATION_ID: "ABCDEF",
    MCP_IDENTITY_PRINCIPAL_ID: "99999999-9999-4999-8999-999999999999",
  };

  test("the administrator's link, VS Code's link and snippet, and the costs are printed, without a request", async () => {
    const { exitCode, stdout } = await deployer.run("postprovision.ts", outputs);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(
      "https://login.microsoftonline.com/22222222-2222-2222-2222-222222222222/adminconsent?client_id=c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    );
    const [link = ""] = /https:\/\/vscode\.dev\S+/.exec(stdout) ?? [];
    expect(JSON.parse(new URL(link).searchParams.get("config") ?? "")).toEqual({
      type: "http",
      url: "https://app-mcp.azurewebsites.net/mcp",
    });
    expect(stdout).toContain('"url": "https://app-mcp.azurewebsites.net/mcp"');
    expect(stdout).toContain("TXT asuid.<domain> ABCDEF");
    expect(stdout).toMatch(/13 {2}App Service plan B1/);
    expect(stdout).not.toContain("Redis");
    expect(deployer.requests).toEqual([]);
  });

  test("each option is in the costs, and a consent that was given is not asked for", async () => {
    const { stdout } = await deployer.run("postprovision.ts", {
      ...outputs,
      MCP_GRANT_ADMIN_CONSENT: "true",
      MCP_PRIVATE_NETWORK: "true",
      MCP_REDIS: "true",
      MCP_API_MANAGEMENT: "true",
      MCP_PROMPT_SHIELDS: "block",
      MCP_SENTINEL: "true",
    });
    for (const what of ["Private endpoints: 5", "Managed Redis", "Standard v2", "Content Safety", "Sentinel"]) {
      expect(stdout).toContain(what);
    }
    expect(stdout).not.toContain("adminconsent");
  });

  test("the owner of a registration that was brought along hears what it needs", async () => {
    const { stdout } = await deployer.run("postprovision.ts", {
      ...outputs,
      MCP_CLIENT_ID: "",
      MCP_REGISTRATION_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
    });
    expect(stdout).toContain("subject 99999999-9999-4999-8999-999999999999");
    expect(stdout).toContain(
      "Identifier URIs: api://c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10, https://app-mcp.azurewebsites.net, https://app-mcp.azurewebsites.net/mcp",
    );
    expect(stdout).toContain(
      "Web redirect URI: https://app-mcp.azurewebsites.net/.auth/login/aad/callback, with id tokens\n",
    );
    const broker = await deployer.run("postprovision.ts", {
      ...outputs,
      MCP_CLIENT_ID: "",
      MCP_REGISTRATION_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      MCP_BROKER: "true",
    });
    expect(broker.stdout).toContain("Web redirect URI: https://app-mcp.azurewebsites.net/oauth/entra/callback\n");
    expect(broker.stdout).toContain("and openid, profile, offline_access");
  });
});

describe("after deployment", () => {
  test("the server is verified from outside once it answers, and the verdict is the hook's", async () => {
    deployer.answers["GET /healthz"] = { body: { status: "ok" } };
    const url = `${deployer.origin}/mcp`;
    expect((await deployer.run("postdeploy.ts", { MCP_SERVER_URL: url })).exitCode).toBe(0);
    expect(await deployer.commands()).toEqual([`npm run --silent verify -- ${url}`]);
    expect((await deployer.run("postdeploy.ts", { MCP_SERVER_URL: url, FAKE_EXIT_CODE: "3" })).exitCode).toBe(3);
  });

  test("a private site is left to a machine in its network", async () => {
    const { exitCode, stdout } = await deployer.run("postdeploy.ts", {
      MCP_SERVER_URL: "https://app-mcp.azurewebsites.net/mcp",
      MCP_PRIVATE_NETWORK: "true",
    });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("From inside its network: npm run verify -- https://app-mcp.azurewebsites.net/mcp");
    expect(await deployer.commands()).toEqual([]);
  });
});

describe("after azd down", () => {
  beforeEach(() => {
    deployer.answers[VAULTS] = { body: { value: [deletedVault] } };
    deployer.answers[`GET /v1.0/applications(uniqueName='${NAME}')`] = { body: server };
    deployer.answers[BIN] = { body: { value: [client] } };
    deployer.answers["DELETE /v1.0/"] = { status: 204 };
  });

  test("what is left is named, and stays where nobody can be asked", async () => {
    const { exitCode, stdout } = await deployer.run("postdown.ts");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("The key vault kv-x is protected: its name stays taken until 2027-02-20.");
    expect(stdout).toContain(
      "- Azure Graph MCP (contoso) (a1)\n- Azure Graph MCP (contoso) (clients) (a2), in the bin",
    );
    expect(stdout).toContain("They stay;");
    expect(deployer.requests.filter((request) => request.startsWith("DELETE"))).toEqual([]);
  });

  test("the registrations are removed for good when that is wanted", async () => {
    const { exitCode, stdout } = await deployer.run("postdown.ts", { MCP_REMOVE_REGISTRATIONS: "true" });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Removed for good: Azure Graph MCP (contoso)\n");
    expect(deployer.requests.filter((request) => request.startsWith("DELETE"))).toEqual([
      "DELETE /v1.0/applications/1",
      "DELETE /v1.0/directory/deletedItems/1",
      "DELETE /v1.0/directory/deletedItems/2",
    ]);
  });

  test("a registration is removed for good although the bin does not have it at once", {
    timeout: 30_000,
  }, async () => {
    deployer.answers["DELETE /v1.0/directory/deletedItems/1"] = { status: 204, missing: 1 };
    const { exitCode, stdout } = await deployer.run("postdown.ts", { MCP_REMOVE_REGISTRATIONS: "true" });
    expect(exitCode).toBe(0);
    expect(stdout).toContain("Removed for good: Azure Graph MCP (contoso)\n");
    expect(deployer.requests.filter((request) => request.endsWith("deletedItems/1"))).toHaveLength(2);
  });

  test("a registration that was brought along is nobody's to remove", async () => {
    const { stdout } = await deployer.run("postdown.ts", {
      MCP_REGISTRATION_CLIENT_ID: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
      MCP_REMOVE_REGISTRATIONS: "true",
    });
    expect(stdout).not.toContain("registration");
    expect(deployer.requests.some((request) => request.includes("/v1.0/"))).toBe(false);
  });
});
