import type { InputRequiredResult, PromptMessage, ServerContext } from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Tool } from "./tool.ts";

/** Suggestions for an argument, looked up by a tool through the gate while a person types. */
export interface Lookup {
  readonly tool: Tool;
  input(typed: string): Record<string, unknown>;
  /** The suggestions in the tool's structured result. */
  values(output: Record<string, unknown>): readonly string[];
}

/** What a prompt says: one message in the person's name, several messages, or first a question to the person. */
export type PromptContent = string | PromptMessage[] | InputRequiredResult;

/** A prompt as its author declares it: a request to the model that a person picks, filled with their arguments. */
export interface PromptDefinition<Arguments extends z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Strings and enums of strings: the protocol knows nothing else. Enums are completed from their options. */
  readonly arguments: Arguments;
  /** Names of the tools that it counts on; it is offered where all of them are served. */
  readonly tools?: readonly string[];
  readonly lookups?: Readonly<Partial<Record<keyof z.output<Arguments>, Lookup>>>;
  /** The request, naming the tools in the order in which they are of use; `exchange` holds answers to earlier questions. */
  render(args: z.output<Arguments>, exchange: ServerContext): PromptContent;
}

/** Any prompt. */
export type Prompt = PromptDefinition<z.ZodObject>;

/** Declares a prompt; exists for the inference of its types. */
export function definePrompt<Arguments extends z.ZodObject>(
  definition: PromptDefinition<Arguments>,
): PromptDefinition<Arguments> {
  return definition;
}

/** A prompt as `prompts/list` publishes it. */
export function publishPrompt({ name, title, description, arguments: args }: Prompt) {
  return {
    name,
    title,
    description,
    arguments: Object.entries(args.shape).map(([argument, schema]) => ({
      name: argument,
      description: (schema as z.ZodType).description ?? "",
      required: !(schema as z.ZodType).safeParse(undefined).success,
    })),
  };
}

/** The fixed values of an argument; none for free text. */
export function optionsOf(prompt: Prompt, argument: string): readonly string[] {
  let schema: unknown = Object.hasOwn(prompt.arguments.shape, argument) ? prompt.arguments.shape[argument] : undefined;
  while (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) schema = schema.unwrap();
  return schema instanceof z.ZodEnum ? schema.options.map(String) : [];
}
