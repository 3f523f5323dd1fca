import type { AcquireGraphToken } from "../graph/graph.ts";
import { untilAborted } from "../mcp/abort.ts";
import { ToolError } from "../mcp/tool-error.ts";
import type { SignIn } from "./sign-in.ts";

/**
 * Gets Graph tokens of the person at this machine: the one that the call came with, or for a claims challenge one that
 * answers it. Where that takes the person, the next call asks them.
 */
export function createLocalGraphTokens(signIn: SignIn, graphResource: string): AcquireGraphToken {
  return async ({ accessToken }, permissions, { claims, signal }) => {
    if (claims === undefined) return accessToken;
    const scopes = permissions.map((permission) => `${graphResource}/${permission}`);
    const session = await untilAborted(signIn.silently({ scopes, claims }), signal);
    if (session) return session.accessToken;
    signIn.challenge(claims);
    throw new ToolError(
      "interaction_required",
      "Your organisation asks for an extra sign-in step, such as multi-factor authentication. Call this again: the step begins then.",
    );
  };
}
