import type { LandingOptions } from "./options.ts";

/** How one client is told of the server. */
export interface ClientGuide {
  readonly name: string;
  /** Where the snippet goes, in a sentence. */
  readonly where: string;
  readonly snippet: string;
  /** What to know besides. */
  readonly note?: string;
}

const NAME = "azure-graph";
const FIRST_PARTY_CLIENTS: ReadonlySet<string> = new Set([
  "aebc6443-996d-45c2-90f0-388ff96faa56", // Visual Studio Code
  "04b07795-8ddb-461a-bbee-02f9e1bf7b46", // Azure CLI
  "04f0c124-f2bc-4f59-8241-bf6df9866bbd", // Visual Studio
]);
const UNKNOWN_ID = "<client id>";

type Connection = Pick<LandingOptions, "mcpUrl" | "authMode" | "issuer" | "allowedClients">;

/** Address that makes VS Code add the server, after asking. */
export function vsCodeInstallUrl(connection: Connection): string {
  return `vscode:mcp/install?${encodeURIComponent(JSON.stringify({ name: NAME, ...vsCodeServer(connection) }))}`;
}

/** The clients that were seen to work, or are known to; docs/clients.md has the rest. */
export function clientGuides(connection: Connection): readonly ClientGuide[] {
  const { mcpUrl, authMode } = connection;
  const id = ownClientOf(connection);
  const needsId = authMode !== "broker";
  const missing =
    needsId && id === undefined
      ? "Entra ID registers no client on the fly: ask who runs this server for a client id."
      : undefined;
  const withNote = (guide: ClientGuide): ClientGuide => (missing === undefined ? guide : { ...guide, note: missing });
  const clientId = id ?? UNKNOWN_ID;
  return [
    {
      name: "Visual Studio Code",
      where: "In .vscode/mcp.json, or by the button above.",
      snippet: JSON.stringify({ servers: { [NAME]: vsCodeServer(connection) } }, undefined, 2),
    },
    {
      name: "GitHub Copilot CLI",
      where: "In a terminal.",
      snippet: `copilot mcp add --transport http ${NAME} ${mcpUrl}`,
    },
    withNote({
      name: "Claude Code",
      where: "In a terminal.",
      snippet: `claude mcp add --transport http ${NAME} ${mcpUrl}${needsId ? ` --client-id ${clientId}` : ""}\nclaude mcp login ${NAME}`,
    }),
    withNote({
      name: "Claude and ChatGPT",
      where: "As a custom connector, in the settings of the app.",
      snippet: needsId ? `URL        ${mcpUrl}\nClient id  ${clientId}` : mcpUrl,
    }),
    withNote({
      name: "Programs that start servers",
      where: "Through mcp-remote, in the program's own configuration.",
      snippet: JSON.stringify(
        { mcpServers: { [NAME]: mcpRemote(mcpUrl, needsId ? clientId : undefined) } },
        undefined,
        2,
      ),
    }),
  ];
}

/** VS Code knows Entra's public cloud; elsewhere it has to be told an id. */
function vsCodeServer(connection: Connection) {
  const { mcpUrl, authMode, issuer } = connection;
  const signsInItself = authMode === "broker" || new URL(issuer).hostname === "login.microsoftonline.com";
  const clientId = signsInItself ? undefined : ownClientOf(connection);
  return { type: "http", url: mcpUrl, ...(clientId === undefined ? {} : { oauth: { clientId } }) };
}

function mcpRemote(url: string, clientId: string | undefined) {
  const info = clientId === undefined ? [] : ["--static-oauth-client-info", JSON.stringify({ client_id: clientId })];
  return { command: "npx", args: ["-y", "mcp-remote", url, ...info] };
}

/** The client registration that came with this server: the first that is none of Microsoft's. */
function ownClientOf({ allowedClients, authMode }: Connection): string | undefined {
  return authMode === "broker" ? undefined : allowedClients.find((id) => !FIRST_PARTY_CLIENTS.has(id));
}
