import { type AppRegistration, MICROSOFT_GRAPH_APP_ID, type Tenant } from "../directory.ts";
import { createCalendars } from "./calendar.ts";
import { createChats } from "./chats.ts";
import { createDrives } from "./drive.ts";
import { createMailboxes } from "./mail.ts";
import { createTaskLists } from "./tasks.ts";
import { people, users } from "./users.ts";

/** Fixed ids of the sample tenant, so that configuration and documents can name them. */
export const CONTOSO = {
  tenantId: "5b7e1e6c-4a52-4f0e-9d0a-6a3c1f6f2d11",
  /** The resource app: the MCP server itself. */
  serverAppId: "c4f2c6a1-8d5b-4e0e-a6f7-2f6f5f1f9b10",
  /** The public client that `npm run dev` prints. */
  sampleClientId: "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40",
  /** The public client that the local server (stdio) signs people in with. */
  localClientId: "3c5a9e17-6d42-4b8f-a0e3-9f1d7c2b8a56",
  /** A client that the server does not allow. */
  otherClientId: "e9d8c7b6-a5f4-4e3d-9c2b-1a0f9e8d7c60",
  managedIdentityClientId: "2f8e4d6a-1b3c-4d5e-8f90-a1b2c3d4e5f6",
  managedIdentityPrincipalId: "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c6d",
  scope: "user_impersonation",
} as const;

/** First-party clients that every Entra tenant knows, with Microsoft's own ids. */
export const FIRST_PARTY_CLIENTS = {
  visualStudioCode: "aebc6443-996d-45c2-90f0-388ff96faa56",
  azureCli: "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
} as const;

/** Where the parts of a local cloud listen, as far as the registrations depend on it. */
export interface ContosoAddresses {
  /** The MCP endpoint as clients see it, for example `http://localhost:3000/mcp`. */
  readonly mcpUrl: string;
  /** Plain http origin of the Entra emulator. */
  readonly entraOrigin: string;
  /** Origin of the Graph emulator: Graph's identifier URI in this tenant, as `https://graph.microsoft.us` is in others. */
  readonly graphOrigin: string;
}

const LOOPBACK_REDIRECTS = [
  "http://localhost",
  "http://localhost/callback",
  "http://localhost/oauth/callback",
  "http://127.0.0.1",
  "http://127.0.0.1/callback",
  "http://127.0.0.1/oauth/callback",
  "http://127.0.0.1/mcp/oauth/callback",
  "https://vscode.dev/redirect",
  "https://insiders.vscode.dev/redirect",
];

const NO_REDIRECTS = { public: [], web: [], spa: [] } as const;

const GRAPH_SCOPES: readonly [value: string, description: string, adminConsentRequired?: boolean][] = [
  ["User.Read", "Sign you in and read your profile"],
  ["User.ReadBasic.All", "Read all users' basic profiles"],
  ["User.Read.All", "Read all users' full profiles", true],
  ["People.Read", "Read your relevant people list"],
  ["MailboxSettings.Read", "Read your mailbox settings"],
  ["Mail.Read", "Read your mail"],
  ["Calendars.Read", "Read your calendars"],
  ["Calendars.Read.Shared", "Read calendars you can access"],
  ["Files.Read.All", "Read all files that you have access to"],
  ["Mail.ReadWrite", "Read and write access to your mail"],
  ["Mail.Send", "Send mail as you"],
  ["Calendars.ReadWrite", "Have full access to your calendars"],
  ["Files.ReadWrite", "Have full access to your files"],
  ["Tasks.Read", "Read your tasks"],
  ["Tasks.ReadWrite", "Create, read, update and delete your tasks"],
  ["Chat.ReadBasic", "Read names and members of your chats"],
  ["Chat.Read", "Read your chat messages"],
  ["ChatMessage.Send", "Send chat messages as you"],
];

/** What the server's own registration was consented to use, for every user but the one without consent. */
export const CONSENTED_GRAPH_SCOPES = [
  "User.Read",
  "User.ReadBasic.All",
  "People.Read",
  "MailboxSettings.Read",
  "Mail.Read",
  "Calendars.Read",
  "Files.Read.All",
  "Mail.ReadWrite",
  "Mail.Send",
  "Calendars.ReadWrite",
  "Files.ReadWrite",
  "Tasks.Read",
  "Tasks.ReadWrite",
  "Chat.ReadBasic",
  "Chat.Read",
  "ChatMessage.Send",
];

/** The fictional tenant Contoso, registered as a deployment would be. A fresh, mutable copy per call. */
export function createContoso({ mcpUrl, entraOrigin, graphOrigin }: ContosoAddresses): Tenant {
  const publicClient = (appId: string, displayName: string): AppRegistration => ({
    appId,
    displayName,
    identifierUris: [],
    requestedAccessTokenVersion: 2,
    scopes: [],
    appRoles: [],
    redirectUris: { ...NO_REDIRECTS, public: LOOPBACK_REDIRECTS },
    isFallbackPublicClient: true,
    preAuthorizedApplications: [],
    federatedIdentityCredentials: [],
  });
  return {
    id: CONTOSO.tenantId,
    displayName: "Contoso",
    verifiedDomains: ["contoso.com"],
    users: [...users],
    applications: [
      {
        appId: CONTOSO.serverAppId,
        displayName: "azure-graph-mcp",
        identifierUris: [`api://${CONTOSO.serverAppId}`, new URL(mcpUrl).origin, mcpUrl],
        requestedAccessTokenVersion: 2,
        scopes: [{ value: CONTOSO.scope, description: "Use the Microsoft Graph tools of this MCP server as you" }],
        appRoles: [{ value: "Mcp.Write", description: "Use tools that change data" }],
        redirectUris: {
          ...NO_REDIRECTS,
          web: ["/.auth/login/aad/callback", "/oauth/entra/callback"].map((path) => new URL(path, mcpUrl).href),
        },
        enableIdTokenIssuance: true,
        requiredResourceAccess: [{ resourceAppId: MICROSOFT_GRAPH_APP_ID, scopes: CONSENTED_GRAPH_SCOPES }],
        preAuthorizedApplications: Object.values(FIRST_PARTY_CLIENTS).map((appId) => ({
          appId,
          scopes: [CONTOSO.scope],
        })),
        federatedIdentityCredentials: [
          {
            name: "app-service-identity",
            issuer: `${entraOrigin}/${CONTOSO.tenantId}/v2.0`,
            subject: CONTOSO.managedIdentityPrincipalId,
            audiences: ["api://AzureADTokenExchange"],
          },
        ],
      },
      publicClient(CONTOSO.sampleClientId, "Sample MCP client"),
      publicClient(CONTOSO.localClientId, "azure-graph-mcp (local)"),
      publicClient(CONTOSO.otherClientId, "Some other app"),
      publicClient(FIRST_PARTY_CLIENTS.visualStudioCode, "Visual Studio Code"),
      publicClient(FIRST_PARTY_CLIENTS.azureCli, "Microsoft Azure CLI"),
      {
        appId: MICROSOFT_GRAPH_APP_ID,
        displayName: "Microsoft Graph",
        identifierUris: ["https://graph.microsoft.com", graphOrigin],
        requestedAccessTokenVersion: 1,
        scopes: GRAPH_SCOPES.map(([value, description, adminConsentRequired = false]) => ({
          value,
          description,
          adminConsentRequired,
        })),
        appRoles: [],
        redirectUris: NO_REDIRECTS,
        preAuthorizedApplications: [],
        federatedIdentityCredentials: [],
      },
    ],
    grants: users
      .filter((user) => user.id !== people.noConsent.id)
      .map((user) => ({
        clientAppId: CONTOSO.serverAppId,
        resourceAppId: MICROSOFT_GRAPH_APP_ID,
        userId: user.id,
        scopes: CONSENTED_GRAPH_SCOPES,
      })),
    roleAssignments: users
      .filter((user) => user.id !== people.noRole.id && user.userType === "Member")
      .map((user) => ({ userId: user.id, resourceAppId: CONTOSO.serverAppId, role: "Mcp.Write" })),
    managedIdentities: [{ clientId: CONTOSO.managedIdentityClientId, principalId: CONTOSO.managedIdentityPrincipalId }],
    drives: createDrives(),
    chats: createChats(CONTOSO.tenantId),
    mailboxes: createMailboxes(),
    taskLists: createTaskLists(),
    calendarAround: createCalendars(),
  };
}
