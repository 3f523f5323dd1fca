import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import type { Principal } from "../auth/principal.ts";
import type { KeyRing, SigningSecret } from "./key-ring.ts";

const LIFETIME_MS = 24 * 60 * 60 * 1000;

/** What a 2025-era client declared that later requests do not repeat. */
export interface SessionFacts {
  readonly protocolVersion: string;
  /** The capabilities that let this server ask the client for something. */
  readonly capabilities: z.output<typeof askable>;
}

const askable = z.object({
  elicitation: z.object({ form: z.object({}).optional(), url: z.object({}).optional() }).optional(),
  sampling: z.object({}).optional(),
  roots: z.object({}).optional(),
});

const payload = z.object({
  /** `<tenant id>:<user id>:<random id>`. */
  s: z.string(),
  v: z.string().max(32),
  c: askable,
  /** Expiry, milliseconds since the epoch. */
  x: z.number(),
  /** Version of the signing secret. */
  k: z.string(),
});

/** Issues and checks session ids. */
export interface Sessions {
  /** Throws what the key ring throws. */
  issue(
    principal: Principal,
    declared: { readonly protocolVersion: string; readonly capabilities: unknown },
  ): Promise<string>;
  /** The facts in a session id that is this principal's and alive, else undefined. */
  open(sessionId: string, principal: Principal): Promise<SessionFacts | undefined>;
}

/**
 * Keeps 2025-era sessions in the client: a session id is a signed statement of what was negotiated, for whom and until
 * when, so that every instance can serve the next request and none stores anything.
 *
 * HMAC-SHA256 under a key derived from the ring's secrets; what an older secret signed is good until it expires or the
 * secret is retired. A session id is never proof of identity: the request's own token is, and the session must be its
 * user's. Source: MCP 2025-11-25, "Session Management" and "Security Best Practices: Session Hijacking".
 */
export function createSessions(keys: KeyRing, now: () => number = Date.now): Sessions {
  return {
    async issue(principal, { protocolVersion, capabilities }) {
      const [newest] = await keys();
      if (!newest) throw new Error("The key ring is empty.");
      const body: z.output<typeof payload> = {
        s: `${ownerOf(principal)}:${randomUUID()}`,
        v: protocolVersion,
        c: askable.catch({}).parse(capabilities),
        x: now() + LIFETIME_MS,
        k: newest.id,
      };
      const encoded = Buffer.from(JSON.stringify(payload.parse(body))).toString("base64url");
      return `${encoded}.${sign(encoded, newest)}`;
    },

    async open(sessionId, principal) {
      const [encoded = "", signature = "", ...rest] = sessionId.split(".");
      const claimed = rest.length === 0 ? decode(encoded) : undefined;
      const secret = claimed && (await keys(({ id }) => id === claimed.k)).find(({ id }) => id === claimed.k);
      if (!claimed || !secret || !isSame(signature, sign(encoded, secret))) return undefined;
      if (claimed.x <= now() || !claimed.s.startsWith(`${ownerOf(principal)}:`)) return undefined;
      return { protocolVersion: claimed.v, capabilities: claimed.c };
    },
  };
}

function ownerOf({ tenantId, userId }: Principal): string {
  return `${tenantId}:${userId}`;
}

function sign(text: string, { secret }: SigningSecret): string {
  const key = Buffer.from(hkdfSync("sha256", secret, "", "azure-graph-mcp session v1", 32));
  return createHmac("sha256", key).update(text).digest("base64url");
}

function isSame(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function decode(encoded: string): z.output<typeof payload> | undefined {
  try {
    return payload.parse(JSON.parse(Buffer.from(encoded, "base64url").toString("utf8")));
  } catch {
    return undefined;
  }
}
