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
