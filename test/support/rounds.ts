import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import type { CallResult, FormAnswer } from "./mcp-clients.ts";
import { mcpRequest, messageIn } from "./mcp-messages.ts";
import { sendRaw } from "./raw-http.ts";
import type { Stack } from "./stack.ts";

/** What a client sends along when a person approved. */
export const YES: FormAnswer = { action: "accept", content: { approve: true } };

/** The result of one round of a call; the first asks, and says so with a state for the next. */
export type Round = (more?: Readonly<Record<string, unknown>>) => Promise<CallResult & { requestState?: string }>;

/** Makes the rounds of one call of Adele's as a client sends them, so that a test can send one again. */
export async function createRounds(
  stack: Stack,
  name: string,
  args: Readonly<Record<string, unknown>>,
): Promise<Round> {
  const token = await stack.entra.issueAccessToken({
    user: "AdeleV",
    client: CONTOSO.sampleClientId,
    scope: `${stack.mcpUrl}/${CONTOSO.scope}`,
  });
  const { headers } = mcpRequest("2026-07-28", "tools/call", { name });
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  return async (more = {}) => {
    const params = { name, arguments: args, _meta, ...more };
    const sent = await sendRaw(new URL(stack.mcpUrl).origin, {
      headers: [...headers, ["Authorization", `Bearer ${token}`]],
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params }),
    });
    return (messageIn(sent) as { result: Awaited<ReturnType<Round>> }).result;
  };
}
