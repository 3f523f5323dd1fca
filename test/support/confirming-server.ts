import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { User } from "@microsoft/microsoft-graph-types";
import { inject } from "vitest";
import * as z from "zod";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { type LocalCloud, startLocalCloud } from "../../emulators/local-cloud.ts";
import { createAccessTokenVerifier } from "../../src/auth/access-token.ts";
import { loadConfig } from "../../src/config.ts";
import type { Audit, AuditEvent } from "../../src/diagnostics.ts";
import { createGraphClient } from "../../src/graph/client.ts";
import { path } from "../../src/graph/path.ts";
import { createApp } from "../../src/http/app.ts";
import type { Bus } from "../../src/mcp/bus.ts";
import { createConfirmations } from "../../src/mcp/confirmation.ts";
import { createCursorSealer } from "../../src/mcp/cursor.ts";
import { createGate } from "../../src/mcp/gate.ts";
import { createProcessKeyRing, type KeyRing } from "../../src/mcp/key-ring.ts";
import { createMcpServerFactory, createTalkative } from "../../src/mcp/server.ts";
import { createSessions } from "../../src/mcp/sessions.ts";
import { defineTool, type Tool } from "../../src/mcp/tool.ts";
import { createGraphTransport } from "../../src/platform/graph-transport.ts";
import { createInProcessBus } from "../../src/platform/in-process-bus.ts";
import { createInProcessClaims } from "../../src/platform/in-process-claims.ts";
import { trusted } from "../../src/safety/untrusted.ts";
import { catalogue } from "../../src/tools/index.ts";
import { extractText } from "./extractor.ts";
import { userToken } from "./forged-tokens.ts";
import { type LoadBalancer, startLoadBalancer } from "./load-balancer.ts";
import { createRecordedLog } from "./recorded-log.ts";

/** One instance of the server; shares nothing with the others but the bus and the keys. */
export interface Instance {
  readonly port: number;
  /** The MCP endpoint of this instance, past the load balancer. */
  readonly mcpUrl: string;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Ends it as a machine dies: connections are cut, and it hears and says nothing any more. */
  kill(): Promise<void>;
}

/** Instances with tools that change something, behind a load balancer without affinity, in a local cloud. */
export interface Deployment {
  readonly mcpUrl: string;
  readonly cloud: LocalCloud;
  readonly balancer: LoadBalancer;
  readonly instances: readonly Instance[];
  /** What tools did: name and arguments of every run, on any instance. */
  readonly done: Readonly<Record<string, unknown>>[];
  /** The audits of calls and refusals on all instances, in order. */
  readonly audited: (Decision & { readonly instance: number })[];
  /** An access token of a user with the role for writing. */
  token(user?: string): Promise<string>;
  close(): Promise<void>;
}

/** What was done or refused: neither questions to people nor that somebody came in. */
type Decision = Exclude<AuditEvent, { readonly event: "confirmation" }>;

/** What a {@link Deployment} differs in from one instance with keys and a bus of its own. */
export interface DeploymentOptions {
  readonly instances?: number;
  /** Makes the bus of an instance; absent: all share one. */
  readonly createBus?: () => Bus | Promise<Bus>;
  readonly keyRing?: KeyRing;
  /** The sessions' clock, milliseconds since the epoch. */
  readonly now?: () => number;
}

const greeting = { to: z.string(), text: z.string().max(200) };
const TOOL_TIMEOUT_MS = 30_000;

/** The tools of a {@link Deployment}; what they do goes into `done`. */
function createTools(done: Readonly<Record<string, unknown>>[]): Tool[] {
  const sendGreeting = defineTool({
    name: "send_greeting",
    title: "Send a greeting",
    description: "Sends a greeting to a colleague.",
    effect: "write",
    permissions: ["User.ReadBasic.All"],
    confirm: ({ to, text }) => ({ message: `Send ${JSON.stringify(text)} to ${to}?` }),
    input: z.strictObject(greeting),
    output: z.object({ sent_to: trusted().nullable() }),
    async handler({ to, text }, { graph }) {
      const { displayName } = await graph.get<User>(path`/users/${to}`, { query: { $select: "displayName" } });
      done.push({ tool: "send_greeting", to, text });
      return { sent_to: displayName ?? null };
    },
  });
  const recallGreeting = defineTool({
    name: "recall_greeting",
    title: "Recall a greeting",
    description: "Takes a greeting back.",
    effect: "destructive",
    permissions: ["User.ReadBasic.All"],
    confirm: ({ to }) => ({ message: `Recall the greeting to ${to}?` }),
    input: z.strictObject(greeting),
    output: z.object({ recalled: z.boolean() }),
    async handler({ to, text }) {
      done.push({ tool: "recall_greeting", to, text });
      return { recalled: true };
    },
  });
  const planGreeting = defineTool({
    name: "plan_greeting",
    title: "Plan a greeting",
    description: "Sends a greeting tomorrow.",
    effect: "write",
    permissions: ["User.ReadBasic.All"],
    confirm: ({ to }) => ({ message: `Greet ${to} tomorrow?` }),
    // An argument with the name of the form's field: the model fills it, which must count for nothing.
    input: z.strictObject({ ...greeting, approve: z.boolean().default(false) }),
    output: z.object({ planned: z.boolean() }),
    async handler({ to, text }) {
      done.push({ tool: "plan_greeting", to, text });
      return { planned: true };
    },
  });
  const lookUp = defineTool({
    name: "look_up",
    title: "Look up",
    description: "Reads a colleague's name.",
    effect: "read",
    permissions: ["User.ReadBasic.All"],
    input: z.strictObject({ user: z.string() }),
    output: z.object({ name: trusted().nullable() }),
    async handler({ user }, { graph }) {
      const { displayName } = await graph.get<User>(path`/users/${user}`, { query: { $select: "displayName" } });
      return { name: displayName ?? null };
    },
  });
  return [sendGreeting, recallGreeting, planGreeting, lookUp];
}

/** Starts everything; the parts are the product's own, wired as in its composition. */
export async function startDeployment(options: DeploymentOptions = {}): Promise<Deployment> {
  const balancer = await startLoadBalancer();
  const cloud = await startLocalCloud({ certificates: inject("certificates"), serverOrigin: balancer.origin });
  const transport = createGraphTransport(8_000);
  const shared = createInProcessBus();
  const { createBus = () => shared, keyRing = createProcessKeyRing() } = options;
  const done: Readonly<Record<string, unknown>>[] = [];
  const audited: Deployment["audited"] = [];
  const tools = createTools(done);
  const instances: (Instance & { readonly bus: Bus })[] = [];
  for (let n = 0; n < (options.instances ?? 1); n++) {
    const bus = await createBus();
    const audit: Audit = (event) => {
      const aside = event.event === "confirmation" || (event.event === "sign_in" && event.decision === "allowed");
      if (!aside) audited.push({ instance: n, ...event });
    };
    const { now } = options;
    instances.push({ bus, ...(await startInstance({ cloud, tools, bus, keyRing, transport, audit, now })) });
  }
  balancer.use(instances.map(({ port }) => port));
  return {
    mcpUrl: cloud.mcpUrl,
    cloud,
    balancer,
    instances,
    done,
    audited,
    token: (user) => userToken(cloud, user),
    async close() {
      await balancer.close();
      await Promise.all(instances.map((instance) => instance.kill()));
      await Promise.all(instances.map(({ bus }) => bus.close()));
      await transport.close();
      await cloud.close();
    },
  };
}

interface Parts {
  readonly cloud: LocalCloud;
  readonly tools: readonly Tool[];
  readonly bus: Bus;
  readonly keyRing: KeyRing;
  readonly transport: ReturnType<typeof createGraphTransport>;
  readonly audit: Audit;
  readonly now: (() => number) | undefined;
}

async function startInstance({ cloud, tools, bus, keyRing, transport, audit, now }: Parts): Promise<Instance> {
  const config = loadConfig({ ...cloud.environment(), ALLOW_WRITES: "true" }, catalogue);
  const log = createRecordedLog();
  const confirmations = createConfirmations(keyRing, createInProcessClaims());
  let alive = true;
  const gate = createGate({
    rules: config.access,
    confirmations,
    connectGraph: createGraphClient({
      endpoint: new URL(config.graphEndpoint),
      downloadHosts: config.downloadHosts,
      acquireToken: ({ principal }, permissions) =>
        cloud.entra.issueAccessToken({
          user: principal.userId,
          client: CONTOSO.serverAppId,
          scope: permissions.map((permission) => `${config.graphEndpoint}/${permission}`).join(" "),
        }),
      send: transport.send,
    }),
    extractText,
    sealCursors: createCursorSealer(keyRing),
    extraPermissions: [],
    timeoutMs: TOOL_TIMEOUT_MS,
    audit,
    log,
  });
  const app = createApp({
    endpoint: {
      factory: createMcpServerFactory({
        info: { name: "confirming", version: "1.0.0" },
        tools,
        prompts: [],
        rules: config.access,
        gate,
        verifyRequestState: confirmations.verify,
      }),
      talkative: createTalkative(tools),
      sessions: createSessions(keyRing, now),
      bus: {
        ...bus,
        publish: async (channel, message) => (alive ? bus.publish(channel, message) : undefined),
        subscribe: (channel, listener) => bus.subscribe(channel, (message) => alive && listener(message)),
      },
    },
    authenticate: {
      verify: createAccessTokenVerifier(config.tokens, log),
      requiredScope: config.tokens.requiredScope,
      behindEasyAuth: false,
      resource: config.mcpUrl,
      resourceMetadataUrl: `${config.mcpUrl}/prm`,
      audit,
    },
    allowedHosts: config.allowedHosts,
    allowedOrigins: config.allowedOrigins,
    readiness: {},
    log,
  });
  const server = createServer(app.express);
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    mcpUrl: `http://localhost:${port}/mcp`,
    connections: () =>
      new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    kill: () =>
      new Promise((resolve) => {
        alive = false;
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
