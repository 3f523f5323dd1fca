import type { Principal } from "./principal.ts";

/** What the policy must know of a tool. */
export interface Capability {
  readonly name: string;
  readonly effect: "read" | "write" | "destructive";
}

/** Server-wide part of the policy; from configuration. */
export interface AccessRules {
  readonly allowWrites: boolean;
  /** App role that a caller needs for tools that change something; undefined where the server is the caller's own. */
  readonly writeRole: string | undefined;
  /** Delegated scope that a call of such a tool needs too; undefined where one scope serves for all tools. */
  readonly writeScope?: string | undefined;
}

/** `denied` says why, in a sentence for the caller that names who can change it. */
export type AccessDecision = { readonly allowed: true } | { readonly allowed: false; readonly denied: string };

/**
 * Decides whether a principal may see and call a tool: reading is for everyone who signed in, changing takes
 * the server's switch and, where the rules name one, the caller's app role. Pure.
 */
export function decideAccess(tool: Capability, principal: Principal, rules: AccessRules): AccessDecision {
  if (tool.effect === "read") return { allowed: true };
  if (!rules.allowWrites) {
    return { allowed: false, denied: `${tool.name} changes data, and this server is read-only (ALLOW_WRITES).` };
  }
  if (rules.writeRole !== undefined && !principal.roles.includes(rules.writeRole)) {
    return {
      allowed: false,
      denied: `${tool.name} changes data and needs the app role ${rules.writeRole}. An administrator can assign it to you.`,
    };
  }
  return { allowed: true };
}

/** Whether a call of a tool that the principal may use lacks only a scope: its client can ask for more and try again. */
export function lacksScope(tool: Capability, principal: Principal, rules: AccessRules): boolean {
  const { writeScope } = rules;
  if (tool.effect === "read" || writeScope === undefined || principal.scopes.includes(writeScope)) return false;
  return decideAccess(tool, principal, rules).allowed;
}
