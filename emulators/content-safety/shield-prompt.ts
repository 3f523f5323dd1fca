import { setTimeout as sleep } from "node:timers/promises";
import type { RequestHandler } from "express";
import { sendError } from "./errors.ts";
import type { ContentSafetySwitches } from "./switches.ts";

const MAX_DOCUMENTS = 5;
const MAX_CHARACTERS = 10_000;

/** `POST /contentsafety/text:shieldPrompt`: says of the prompt and of each document whether it is an attack. */
export function shieldPrompt(switches: ContentSafetySwitches, analysed: string[][]): RequestHandler {
  return async (req, res) => {
    const { userPrompt = "", documents = [] } = (req.body ?? {}) as { userPrompt?: unknown; documents?: unknown };
    const refuse = (message: string) => sendError(res, 400, "InvalidRequestBody", message);
    if (typeof userPrompt !== "string" || !isTexts(documents)) return refuse("The request body is invalid.");
    if (userPrompt === "" && documents.length === 0) return refuse("userPrompt and documents cannot both be empty.");
    if (switches["contentSafety.enforceLimits"]) {
      if (documents.length > MAX_DOCUMENTS) return refuse(`At most ${MAX_DOCUMENTS} documents are allowed.`);
      const length = documents.reduce((sum, { length }) => sum + length, 0);
      if (Math.max(length, userPrompt.length) > MAX_CHARACTERS) {
        return refuse(`The text is longer than ${MAX_CHARACTERS} characters.`);
      }
    }
    analysed.push(documents);
    await sleep(switches["contentSafety.latencyMs"], undefined, { ref: false });
    const analyse = (text: string) => ({ attackDetected: switches["contentSafety.detects"](text) });
    res.json({ userPromptAnalysis: analyse(userPrompt), documentsAnalysis: documents.map(analyse) });
  };
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
