import type { ServerContext } from "@modelcontextprotocol/server";

/**
 * Tells the client how a call gets on, if it asked to be told (`progressToken`); otherwise does nothing.
 *
 * Source: MCP, "Progress": the value must increase with each notification.
 */
export function createProgress({ mcpReq }: ServerContext): (message: string) => void {
  const progressToken = mcpReq._meta?.progressToken;
  let progress = 0;
  return (message) => {
    if (progressToken === undefined) return;
    progress += 1;
    mcpReq
      .notify({ method: "notifications/progress", params: { progressToken, progress, message } })
      .catch(() => undefined);
  };
}
