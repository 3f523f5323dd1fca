import ContentSafetyClient from "@azure-rest/ai-content-safety";
import * as z from "zod";
import { untilAborted } from "../mcp/abort.ts";
import type { ShieldDocuments } from "../safety/prompt-shield.ts";

/** Where Content Safety is and how the server proves itself there. */
export interface ContentSafetyOptions {
  readonly endpoint: string;
  readonly credential: Parameters<typeof ContentSafetyClient>[1];
}

/** The first version with `text:shieldPrompt`; the SDK's own default is older. */
const API_VERSION = "2024-09-01";

const answer = z.object({ documentsAnalysis: z.array(z.object({ attackDetected: z.boolean() })) });

/**
 * Asks Prompt Shields of Azure AI Content Safety as the managed identity. Never tried again: somebody waits, and what
 * happens without an answer is the operator's choice.
 */
export function createContentSafety({ endpoint, credential }: ContentSafetyOptions): ShieldDocuments {
  const client = ContentSafetyClient(endpoint.replace(/\/+$/, ""), credential, {
    apiVersion: API_VERSION,
    retryOptions: { maxRetries: 0 },
  });
  return async (documents, signal) => {
    const request = client.pathUnchecked("/text:shieldPrompt").post({ body: { documents }, abortSignal: signal });
    // Not only the signal: the request for a token knows nothing of it.
    const response = await untilAborted(Promise.resolve(request), signal);
    if (response.status !== "200") throw new Error(`Content Safety answered with status ${response.status}.`);
    const { documentsAnalysis } = answer.parse(response.body);
    if (documentsAnalysis.length !== documents.length)
      throw new Error("Content Safety did not answer on every document.");
    return documentsAnalysis.map(({ attackDetected }) => attackDetected);
  };
}
