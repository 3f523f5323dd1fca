import { CONTOSO } from "./contoso/tenant.ts";
import { people } from "./contoso/users.ts";
import type { LocalCloud } from "./local-cloud.ts";

const SAMPLE_USERS = [
  [people.normal, "everything works"],
  [people.needsMfa, "Graph wants multi-factor authentication first"],
  [people.noConsent, "nobody consented to Graph for this person"],
  [people.noRole, "has no app role: read tools only"],
  [people.guest, "guest of another organisation, without a mailbox"],
] as const;

/** What to do next, once everything listens: written for somebody who has just run `npm run dev` for the first time. */
export function banner(cloud: LocalCloud, serverPort: number, auth: "easy-auth" | "bearer" | "broker"): string {
  const brokered = auth === "broker";
  const { mcpUrl, entra, graph, keyVault, managedIdentity, appService } = cloud;
  const snippet = {
    servers: {
      "azure-graph": {
        type: "http",
        url: mcpUrl,
        ...(brokered ? {} : { oauth: { clientId: CONTOSO.sampleClientId } }),
      },
    },
  };
  return `
azure-graph-mcp is running, with the Azure that it needs, on this machine.

  MCP endpoint   ${mcpUrl}
  Client id      ${brokered ? `none: clients register themselves; end what you let in at ${new URL("/oauth/connections", mcpUrl).href}` : `${CONTOSO.sampleClientId}   (the sample client; Entra has no dynamic registration)`}

VS Code: put this into .vscode/mcp.json, start the server there and pick a person on the sign-in page.

${indent(JSON.stringify(snippet, undefined, 2))}

${brokered ? inspector(mcpUrl) : withoutBrowser(mcpUrl, entra.httpOrigin)}
People of the sample tenant Contoso (no passwords; more on the sign-in page).${brokered ? "" : " The second name goes into ?user="}

${SAMPLE_USERS.map(([user, special]) => `  ${user.displayName.padEnd(16)} ${(user.userPrincipalName.split(/[@_]/)[0] ?? "").padEnd(8)} ${special}`).join("\n")}

Stand-ins

  ${appService ? "App Service" : "This server"}        ${new URL(mcpUrl).origin}${appService ? `   in front of this server on http://localhost:${serverPort}` : ""}
  Entra ID           ${entra.httpOrigin}   (for Azure SDKs: ${entra.httpsOrigin})
  Microsoft Graph    ${graph.origin}
  Key Vault          ${keyVault.origin}
  Managed identity   ${new URL(managedIdentity.url).origin}

Ctrl-C stops everything. Other ports: ${onOtherPorts()}
`;
}

/** The command that starts everything elsewhere. */
export function onOtherPorts(): string {
  return `PORT=${process.env["PORT"] === "4000" ? 5000 : 4000} npm run dev`;
}

/** Tokens of the broker cost an approval, in a browser. */
function inspector(mcpUrl: string): string {
  return `Or run this: it opens the sign-in in your browser and lists the tools.

  npx @modelcontextprotocol/inspector --cli ${mcpUrl} --transport http --method tools/list
`;
}

/** Entra's stand-in gives tokens without a browser. */
function withoutBrowser(mcpUrl: string, entraOrigin: string): string {
  return `Or paste this: it signs Adele in without a browser and calls a tool.

  curl -s ${mcpUrl} \\
    -H "Authorization: Bearer $(curl -s '${entraOrigin}/emulator/token?user=AdeleV')" \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_my_profile","arguments":{}}}'
`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
