import { costsOf } from "./costs.ts";
import { type Option, readDeployment, runHook } from "./deployment.ts";
import { isOn } from "./options.ts";

/** Says what the person who deployed needs next: consent, a client, and what it costs. */
function main(): void {
  const { option, tenantId } = readDeployment(process.env);
  const url = option("MCP_SERVER_URL");
  const authority = option("ENTRA_AUTHORITY");
  const appId = option("ENTRA_CLIENT_ID");
  const host = option("SERVICE_MCP_DEFAULT_HOSTNAME");
  const server = { type: "http", url };
  const install = `https://vscode.dev/redirect/mcp/install?name=azure-graph&config=${encodeURIComponent(JSON.stringify(server))}`;

  say("The MCP server", url);
  if (option("MCP_REGISTRATION_CLIENT_ID") !== "") sayWhatTheRegistrationNeeds(option);
  if (!isOn(option, "MCP_GRANT_ADMIN_CONSENT")) {
    say("An administrator consents for everybody", `${authority}/${tenantId}/adminconsent?client_id=${appId}`);
  }
  say("Install in VS Code", install);
  say(".vscode/mcp.json", JSON.stringify({ servers: { "azure-graph": server } }, undefined, 2));
  const clientId = option("MCP_CLIENT_ID");
  if (clientId !== "") say("Client id for other clients (docs/clients.md)", clientId);
  if (option("MCP_CUSTOM_DOMAIN") === "") {
    say(
      "DNS records for a domain of your own, before: azd env set MCP_CUSTOM_DOMAIN <domain>",
      `CNAME <domain> ${host}\nTXT asuid.<domain> ${option("MCP_DOMAIN_VERIFICATION_ID")}`,
    );
  }
  const costs = costsOf(option);
  say(
    "Costs, about, in US dollars per month; https://azure.microsoft.com/pricing/calculator has those of your region",
    costs.map(({ what, monthly }) => `${monthly.padStart(8)}  ${what}`).join("\n"),
  );
}

/** Who brought a registration has to tell it about the identity and the host names, which are known only now. */
function sayWhatTheRegistrationNeeds(option: Option): void {
  const url = option("MCP_SERVER_URL");
  const { origin } = new URL(url);
  const appId = option("ENTRA_CLIENT_ID");
  const [redirectUri, more] = isOn(option, "MCP_BROKER")
    ? [`${origin}/oauth/entra/callback`, "openid, profile, offline_access"]
    : [`${origin}/.auth/login/aad/callback, with id tokens`, undefined];
  const needs = [
    "requestedAccessTokenVersion: 2, before the identifier URIs",
    `Identifier URIs: api://${appId}, ${origin}, ${url}`,
    `Web redirect URI: ${redirectUri}`,
    `Scope user_impersonation; delegated permissions of infra/graph-permissions.json${more === undefined ? "" : ` and ${more}`}`,
    `Federated credential: issuer ${option("ENTRA_AUTHORITY")}/${option("AZURE_TENANT_ID")}/v2.0, subject ${option("MCP_IDENTITY_PRINCIPAL_ID")}`,
  ];
  say(`What the registration ${appId} needs from its owner`, needs.map((need) => `- ${need}`).join("\n"));
}

function say(title: string, text: string): void {
  console.log(`\n${title}:\n${text}`);
}

await runHook(main);
