import { type InputRequiredResult, inputRequired, isInputRequiredResult } from "@modelcontextprotocol/server";
import { type AccessRules, decideAccess } from "../auth/access-policy.ts";
import type { Principal } from "../auth/principal.ts";
import { createFirstSight } from "../auth/verified-tokens.ts";
import type { Audit, Log } from "../diagnostics.ts";
import { untilAborted } from "../mcp/abort.ts";
import { describe, failed, type Gate, type ToolCall } from "../mcp/gate.ts";
import { createProgress } from "../mcp/progress.ts";
import { ToolError } from "../mcp/tool-error.ts";
import type { Account, Session } from "./public-client.ts";
import type { SignIn } from "./sign-in.ts";

/** What stands between a call on stdio and the gate. */
export interface GuardOptions {
  readonly signIn: SignIn;
  readonly rules: AccessRules;
  readonly clientId: string;
  readonly tenant: string;
  /** The resource that permissions belong to, for example `https://graph.microsoft.com`. */
  readonly graphResource: string;
  readonly extraPermissions: readonly string[];
  /** How long a call waits for the person. */
  readonly waitMs: number;
  readonly audit: Audit;
  readonly log: Log;
}

const KEY = "sign_in";

/**
 * Signs the person in before a call reaches the gate, so that their time does not count as the tool's.
 *
 * A client that opens addresses is given the page as a question; for others the browser is opened, and a call that has
 * waited long enough says what to do. Completions ask nobody. Never throws.
 */
export function signInBefore(gate: Gate, options: GuardOptions): Gate {
  const { signIn, waitMs, clientId, audit, log } = options;
  const isFirstSight = createFirstSight();

  async function session(call: ToolCall): Promise<Session | InputRequiredResult> {
    const { exchange, clientOpensUrls } = call;
    const { signal } = exchange.mcpReq;
    const silent = await untilAborted(signIn.silently({ scopes: scopesOf(call, options) }), signal);
    if (silent) return silent;
    if (exchange.mcpReq.method !== "tools/call") throw notYet("Nobody has signed in yet.");

    const answer = exchange.mcpReq.inputResponses?.[KEY] as { action?: unknown } | undefined;
    if (answer && answer.action !== "accept") throw notYet("The person did not want to sign in, and nothing was done.");
    const handOver = clientOpensUrls && !answer;
    if (!handOver) createProgress(exchange)("Waiting for the person to sign in");
    const found = await signIn.ask({ waitMs: handOver ? 0 : waitMs, clientOpensUrl: clientOpensUrls, signal });
    if ("account" in found) return found;
    const { instruction, url } = found;
    if (!handOver || url === undefined) {
      const where = url === undefined ? {} : { signInUrl: url };
      throw notYet(`Nobody has signed in yet. ${instruction}. Then call this again.`, where);
    }
    return inputRequired({
      inputRequests: { [KEY]: inputRequired.elicitUrl({ message: `${instruction}.`, url }) },
    });
  }

  return async (call) => {
    const { tool, requestId, exchange } = call;
    // A tool that is off is off for everybody: the gate says so, and nobody has to sign in to hear it.
    if (!decideAccess(tool, call.caller.principal, options.rules).allowed) return gate(call);
    try {
      const found = await session(call);
      if (isInputRequiredResult(found)) return found;
      const { tenantId, userId } = found.account;
      const principal = toPrincipal(found.account, clientId);
      const caller = { principal, accessToken: found.accessToken, expiresAt: Math.floor(found.expiresAt / 1000) };
      if (isFirstSight(caller)) {
        audit({ event: "sign_in", decision: "allowed", requestId, tenantId, userId, clientId });
      }
      return await gate({ ...call, caller });
    } catch (error) {
      const failure = expected(error, exchange.mcpReq.signal);
      if (!failure) log.error("A sign-in failed unexpectedly", { requestId, error: describe(error) });
      const account = signIn.account();
      audit({
        event: "sign_in",
        decision: "denied",
        reason: failure?.code ?? "internal",
        requestId,
        tenantId: account?.tenantId,
        userId: account?.userId,
        clientId,
      });
      return failed(failure, requestId);
    }
  };
}

/** Who calls, as far as it is known: nobody in particular before the first sign-in. */
export function principalOf({
  signIn,
  clientId,
  tenant,
}: Pick<GuardOptions, "signIn" | "clientId" | "tenant">): Principal {
  return toPrincipal(signIn.account() ?? { username: "", userId: "", tenantId: tenant }, clientId);
}

function scopesOf({ tool }: ToolCall, { graphResource, extraPermissions }: GuardOptions): string[] {
  const optional = (tool.optionalPermissions ?? []).filter((permission) => extraPermissions.includes(permission));
  return [...tool.permissions, ...optional].map((permission) => `${graphResource}/${permission}`);
}

function toPrincipal({ userId, tenantId }: Account, clientId: string): Principal {
  return { userId, tenantId, clientId, scopes: [], roles: [] };
}

function notYet(message: string, meta: Readonly<Record<string, string>> = {}): ToolError {
  return new ToolError("interaction_required", message, { meta });
}

function expected(error: unknown, cancelled: AbortSignal): ToolError | undefined {
  if (error instanceof ToolError) return error;
  return cancelled.aborted ? new ToolError("cancelled", "The call was cancelled.", { cause: error }) : undefined;
}
