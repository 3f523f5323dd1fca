import type { IncomingMessage, ServerResponse } from "node:http";
import { json } from "node:stream/consumers";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";

/** The name that clients ask this model by. */
export const MODEL = "stand-in";

/** What the model calls. */
export interface ToolUse {
  name: string;
  arguments: object;
}

interface ChatRequest {
  readonly stream?: boolean;
  readonly messages: readonly { readonly role: string; readonly content?: unknown }[];
  readonly tools?: readonly { readonly function?: { readonly name: string } }[];
}

interface Answer {
  readonly message: object;
  readonly finish: "tool_calls" | "stop";
}

/**
 * Starts a stand-in for a language model with OpenAI's chat completions under `/v1`.
 *
 * It makes the call whose name is the end of that of an offered tool once, and then repeats what the tool answered. Which
 * call that is may be changed between two runs of the client.
 */
export function startModel(call: ToolUse): Promise<Listener> {
  return listen("the model stand-in", (req, res) => {
    answer(call, req, res).catch(() => res.writeHead(500).end());
  });
}

async function answer(call: ToolUse, req: IncomingMessage, res: ServerResponse): Promise<void> {
  if (req.method !== "POST") return sendJson(res, { object: "list", data: [{ id: MODEL, object: "model" }] });
  const request = (await json(req)) as ChatRequest;
  const { message, finish } = decide(call, request);
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  const head = { id: "chat-1", created: 0, model: MODEL };
  if (!request.stream) {
    const choice = { index: 0, message, finish_reason: finish };
    return sendJson(res, { ...head, object: "chat.completion", choices: [choice], usage });
  }
  const chunks = [
    { choices: [{ index: 0, delta: message, finish_reason: null }] },
    { choices: [{ index: 0, delta: {}, finish_reason: finish }], usage },
  ].map((chunk) => `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", ...chunk })}\n\n`);
  res.setHeader("content-type", "text/event-stream").end(`${chunks.join("")}data: [DONE]\n\n`);
}

function decide(wanted: ToolUse, { messages, tools = [] }: ChatRequest): Answer {
  const answered = messages.findLast(({ role }) => role === "tool");
  if (answered) return say(`The tool answered: ${JSON.stringify(answered.content)}`);
  // Hosts put the server's name in front: azure-graph-get_my_profile, azure-graph_get_my_profile.
  const name = tools.map((offered) => offered.function?.name).find((offered) => offered?.endsWith(wanted.name));
  if (name === undefined) return say("No such tool is offered.");
  const call = {
    index: 0,
    id: "call-1",
    type: "function",
    function: { name, arguments: JSON.stringify(wanted.arguments) },
  };
  return { message: { role: "assistant", content: null, tool_calls: [call] }, finish: "tool_calls" };
}

const say = (content: string): Answer => ({ message: { role: "assistant", content }, finish: "stop" });

function sendJson(res: ServerResponse, body: object): void {
  res.setHeader("content-type", "application/json").end(JSON.stringify(body));
}
