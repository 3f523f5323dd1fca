import {
  isInputRequiredResult,
  type PromptMessage,
  ProtocolError,
  ProtocolErrorCode,
  type Server,
} from "@modelcontextprotocol/server";
import type { RequestContext } from "./auth-info.ts";
import type { Gate } from "./gate.ts";
import { optionsOf, type Prompt, publishPrompt } from "./prompt.ts";

/** Longest list of suggestions that the protocol allows. */
const MAX_SUGGESTIONS = 100;

/** Answers the prompt and completion methods of one request's server; look-ups go through the gate like any call. */
export function handlePrompts(
  server: Server,
  prompts: ReadonlyMap<string, Prompt>,
  gate: Gate,
  context: RequestContext,
): void {
  const find = (name: string): Prompt => {
    const prompt = prompts.get(name);
    if (!prompt)
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, "Unknown prompt; prompts/list has the names.");
    return prompt;
  };

  server.setRequestHandler("prompts/list", () => ({ prompts: [...prompts.values()].map(publishPrompt) }));

  server.setRequestHandler("prompts/get", ({ params }, exchange) => {
    const prompt = find(params.name);
    const parsed = prompt.arguments.safeParse(params.arguments ?? {});
    if (!parsed.success) {
      const issues = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `The arguments are not valid. ${issues.join("; ")}`);
    }
    const content = prompt.render(parsed.data, exchange);
    if (isInputRequiredResult(content)) return content;
    const messages: PromptMessage[] =
      typeof content === "string" ? [{ role: "user", content: { type: "text", text: content } }] : content;
    return { description: prompt.description, messages };
  });

  server.setRequestHandler("completion/complete", async ({ params }, exchange) => {
    if (params.ref.type !== "ref/prompt") return { completion: { values: [] } };
    const prompt = find(params.ref.name);
    const { name, value } = params.argument;
    const lookup = Object.hasOwn(prompt.lookups ?? {}, name) ? prompt.lookups?.[name] : undefined;
    if (!lookup) {
      return { completion: { values: optionsOf(prompt, name).filter((option) => option.startsWith(value)) } };
    }
    if (value.trim() === "") return { completion: { values: [] } };
    const result = await gate({
      ...context,
      tool: lookup.tool,
      input: lookup.input(value),
      exchange,
      clientCanAsk: false,
      clientOpensUrls: false,
    });
    const found = isInputRequiredResult(result) ? undefined : result.structuredContent;
    const values = found ? lookup.values(found as Record<string, unknown>) : [];
    return { completion: { values: values.slice(0, MAX_SUGGESTIONS) } };
  });
}
