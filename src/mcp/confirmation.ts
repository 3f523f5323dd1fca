import { hkdfSync, randomUUID } from "node:crypto";
import {
  acceptedContent,
  createRequestStateCodec,
  type InputRequiredResult,
  inputRequired,
  type RequestStateCodec,
  type ServerContext,
} from "@modelcontextprotocol/server";
import * as z from "zod";
import type { Principal } from "../auth/principal.ts";
import { requestContextOf } from "./auth-info.ts";
import type { ClaimOnce } from "./claim-once.ts";
import { digestOf } from "./digest.ts";
import type { KeyRing, SigningSecret } from "./key-ring.ts";
import type { Confirmation, Tool } from "./tool.ts";
import { ToolError } from "./tool-error.ts";

const TTL_SECONDS = 10 * 60;
/** Longer than an approval is good for on any clock: the instance that sealed it may be ahead of the one that opens it. */
const CLAIM_MS = 2 * TTL_SECONDS * 1000;
const KEY = "approval";
const answerSchema = z.object({ approve: z.boolean() });

/** What an approval is for; travels signed with the question and comes back with the answer. */
interface Approval {
  /** Of the tool, its arguments and the question: what the person saw is what holds. */
  readonly digest: string;
  /** Names this approval, which counts once. */
  readonly id: string;
}

/** One round of a call that needs approval. */
export interface ConfirmationRound {
  readonly tool: Tool;
  readonly input: unknown;
  readonly question: Confirmation;
  readonly exchange: ServerContext;
  /** Whether the client said that it can show a form to its user. */
  readonly clientCanAsk: boolean;
}

/** Asks people, and recognises their answers. */
export interface Confirmations {
  /**
   * The question to send, or undefined when the person approved exactly this call. Throws `ToolError`
   * `confirmation_unavailable` where the client cannot ask, `not_confirmed` where the person did not approve.
   */
  readonly settle: (round: ConfirmationRound) => Promise<InputRequiredResult | undefined>;
  /** Checks the state that comes back with an answer; for the SDK, before any handler runs. Throws when it is not ours. */
  readonly verify: (state: string, exchange: ServerContext) => Promise<unknown>;
}

/** Whose approval an exchange carries. */
export type PrincipalOf = (exchange: ServerContext) => Principal;

const authenticated: PrincipalOf = ({ http }) => requestContextOf(http?.authInfo).caller.principal;

/**
 * Makes approvals that hold once, for one user, one tool, exactly one set of arguments and the question that was shown,
 * for ten minutes, on any instance.
 *
 * The state that travels with the question is signed under a key of the ring; an answer without it, with that of other
 * arguments, of somebody else, or to a question that would read differently now counts for nothing. An answer that was
 * acted on is not acted on again: a client that repeats a request whose answer it lost does nothing twice.
 * Source: MCP 2026-07-28, "Multi round-trip requests", server requirements.
 */
export function createConfirmations(
  keys: KeyRing,
  claimOnce: ClaimOnce,
  principalOf: PrincipalOf = authenticated,
): Confirmations {
  const codecFor = ({ secret }: SigningSecret): RequestStateCodec<Approval> =>
    createRequestStateCodec<Approval>({
      key: new Uint8Array(hkdfSync("sha256", secret, "", "azure-graph-mcp approval v1", 32)),
      ttlSeconds: TTL_SECONDS,
      bind: (exchange) => {
        const { tenantId, userId } = principalOf(exchange);
        return `${exchange.mcpReq.method}\0${tenantId}\0${userId}`;
      },
    });

  async function claim(id: string): Promise<undefined> {
    const first = await claimOnce(`approval:${id}`, CLAIM_MS).catch((cause: unknown) => {
      throw new ToolError("unavailable", "Approvals cannot be checked right now, and nothing was done. Try again.", {
        cause,
      });
    });
    if (first) return undefined;
    throw new ToolError(
      "already_done",
      "This approval was used already: the call was made before, or is being made. Look what became of it before you ask again.",
    );
  }

  return {
    async settle({ tool, input, question, exchange, clientCanAsk }) {
      const digest = digestOf([tool.name, input, question]);
      const { inputResponses } = exchange.mcpReq;
      const approval = exchange.mcpReq.requestState<Approval>();
      if (inputResponses?.[KEY] !== undefined && approval?.digest === digest) {
        if (acceptedContent(inputResponses, KEY, answerSchema)?.approve === true) return claim(approval.id);
        throw new ToolError(
          "not_confirmed",
          "The person did not approve this, and nothing was done. Ask what they want instead.",
        );
      }
      if (!clientCanAsk) {
        throw new ToolError(
          "confirmation_unavailable",
          `${tool.name} needs the person's approval, and this client cannot ask for it (elicitation). Nothing was done.`,
        );
      }
      const [newest] = await keys().catch((cause: unknown) => {
        throw new ToolError("unavailable", "Approvals are not available right now. Try again in a minute.", { cause });
      });
      if (!newest) throw new ToolError("unavailable", "Approvals are not available right now. Try again in a minute.");
      return inputRequired({
        inputRequests: {
          [KEY]: inputRequired.elicit({
            message: question.message,
            requestedSchema: z.object({
              approve: z.boolean().describe("Yes, do exactly this").meta({ title: "Approve" }),
            }),
          }),
        },
        requestState: await codecFor(newest).mint({ digest, id: randomUUID() }, exchange),
      });
    },

    async verify(state, exchange) {
      const open = (secret: SigningSecret) => codecFor(secret).verify(state, exchange);
      const known = await keys();
      // The last resort: another instance may have signed with a key that this one has not seen.
      return openWithAny(known, open).catch(async () => openWithAny(await keys(() => false), open));
    },
  };
}

async function openWithAny(secrets: readonly SigningSecret[], open: (secret: SigningSecret) => Promise<Approval>) {
  let failure: unknown = new Error("The key ring is empty.");
  for (const secret of secrets) {
    try {
      return await open(secret);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
