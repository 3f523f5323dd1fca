import type { AccessRules, Capability } from "../../auth/access-policy.ts";

/** A tool as people know it. */
export interface OfferedTool extends Capability {
  readonly title: string;
}

/** What the page is about. */
export interface LandingOptions {
  /** The MCP endpoint as clients see it. */
  readonly mcpUrl: string;
  readonly authMode: "easy-auth" | "bearer" | "broker";
  /** Where tokens come from; one on login.microsoftonline.com lets VS Code sign in with its own client id. */
  readonly issuer: string;
  /** Client applications that may be used. */
  readonly allowedClients: readonly string[];
  readonly toolsets: readonly { readonly name: string; readonly tools: readonly OfferedTool[] }[];
  readonly rules: AccessRules;
  /** Where an administrator consents for everybody. */
  readonly adminConsentUrl: string;
}
