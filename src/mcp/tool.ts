import type { ContentBlock, InputRequiredResult, ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Graph } from "../graph/graph.ts";
import { trusted } from "../safety/untrusted.ts";
import type { FileToRead } from "./extract-text.ts";

export { ToolError } from "./tool-error.ts";

/** What a handler works with. */
export interface ToolContext {
  /** Microsoft Graph on behalf of the caller, with the tool's permissions. */
  readonly graph: Graph;
  /** Whether an optional permission is switched on, for example `User.Read.All`. */
  readonly permits: (permission: string) => boolean;
  /** The same for each repetition of this call: of the caller, the tool and the arguments. For what a service does only once. */
  readonly callKey: string;
  /** The `version` of the question that the person approved; to change exactly that and nothing newer. */
  readonly approvedVersion: string | undefined;
  /** Reads the text of a file or an attachment; throws `ToolError` with the reason when there is none to be had. */
  readonly extractText: (file: FileToRead) => Promise<string>;
  /** The protocol's own context of this call, for what the gate does not give; few tools need it. */
  readonly exchange: ServerContext;
}

/** A question to the person: what will happen, in words that leave nothing out. */
export interface Confirmation {
  readonly message: string;
  /** Names the state of what will change, an eTag for example: when it is another one by then, the person is asked again. */
  readonly version?: string | undefined;
}

/** A tool as its author declares it; everything else follows from these facts. */
export interface ToolDefinition<Input extends z.ZodObject, Output extends z.ZodObject> {
  /** Verb first, snake_case, one job. */
  readonly name: string;
  readonly title: string;
  /** For the model: what it does, and which tool to use next or instead. */
  readonly description: string;
  readonly effect: "read" | "write" | "destructive";
  /** Whether a repeated call changes nothing more. Declared for tools that write; reading always is. */
  readonly idempotent?: boolean;
  /** False for a tool that never leaves the caller's own account data. */
  readonly openWorld?: boolean;
  /** Delegated Microsoft Graph permissions. */
  readonly permissions: readonly string[];
  /** Permissions that it makes use of when the operator switched them on. */
  readonly optionalPermissions?: readonly string[];
  /**
   * What the person has to approve before the call runs, or undefined when this call needs no approval. It may read but
   * not change, and is asked again when the answer comes: the handler runs only with exactly these arguments, and only
   * if the question is still the same. The gate asks, and refuses where it cannot.
   */
  confirm?(input: z.output<Input>, context: ToolContext): Promise<Confirmation | undefined> | Confirmation | undefined;
  /** A `z.strictObject`, so that unknown arguments are refused. */
  readonly input: Input;
  readonly output: Output;
  /** Whether the handler itself asks or tells the client something before its result; `confirm` and progress need no mention. */
  readonly talks?: true;
  /** What people and models are shown behind the output as JSON: a link to a file, a picture. */
  content?(output: z.output<Output>): ContentBlock[];
  /** Returns plain data, a question to the client, or throws `ToolError`; needs no try/catch. */
  handler(input: z.output<Input>, context: ToolContext): Promise<z.input<Output> | InputRequiredResult>;
}

/** Any tool. */
export type Tool = ToolDefinition<z.ZodObject, z.ZodObject>;

/** Declares a tool; exists for the inference of its types. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(
  definition: ToolDefinition<Input, Output>,
): ToolDefinition<Input, Output> {
  return definition;
}

/** Arguments that every tool with pages has; spread them into its input. */
export const page = {
  limit: z.int().min(1).max(50).default(10),
  cursor: z.string().max(8192).optional().describe("next of the page before; same arguments"),
};

/** Result field that every tool with pages has: the cursor of the next page, absent on the last. */
export const pageResult = {
  next: trusted().optional(),
};
