import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import type { Principal } from "../auth/principal.ts";
import type { Cursors } from "../graph/graph.ts";
import { digestOf } from "./digest.ts";
import type { KeyRing, SigningSecret } from "./key-ring.ts";
import { ToolError } from "./tool-error.ts";

const LIFETIME_MS = 60 * 60 * 1000;
const KEY_ID_BYTES = 8;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** What a cursor belongs to; it opens for nothing else. */
export interface CursorScope {
  readonly principal: Principal;
  readonly tool: string;
  /** The call's arguments without `cursor`. */
  readonly input: Readonly<Record<string, unknown>>;
}

/**
 * Seals next links into cursors: encrypted and authenticated, so that a client can neither read nor change where they
 * lead, and bound to user, tool, arguments and an hour of life.
 *
 * AES-256-GCM under a key derived from the ring's newest secret (HKDF-SHA256); older secrets still open.
 * Layout, base64url: key id (8 bytes), IV (12), tag (16), ciphertext of expiry (8) and content.
 */
export function createCursorSealer(keys: KeyRing, now: () => number = Date.now): (scope: CursorScope) => Cursors {
  return (scope) => {
    // Most calls have no cursor: the binding is computed by those that do.
    const boundTo = (): Buffer => bindingOf(scope);
    return {
      async seal(content) {
        const [newest] = await available(keys);
        if (!newest) throw unavailable();
        const { id, key } = derive(newest);
        const expiry = Buffer.alloc(8);
        expiry.writeBigUInt64BE(BigInt(now() + LIFETIME_MS));
        const iv = randomBytes(IV_BYTES);
        const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(boundTo());
        const sealed = Buffer.concat([cipher.update(expiry), cipher.update(content, "utf8"), cipher.final()]);
        return Buffer.concat([id, iv, cipher.getAuthTag(), sealed]).toString("base64url");
      },
      async open(cursor) {
        const bytes = Buffer.from(cursor, "base64url");
        const id = bytes.subarray(0, KEY_ID_BYTES);
        const sealedIt = (candidate: SigningSecret): boolean => keyIdOf(candidate).equals(id);
        const found = (await available(keys, sealedIt)).find(sealedIt);
        const secret = found && derive(found);
        if (!secret || bytes.length <= KEY_ID_BYTES + IV_BYTES + TAG_BYTES) throw invalid();
        const iv = bytes.subarray(KEY_ID_BYTES, KEY_ID_BYTES + IV_BYTES);
        const tag = bytes.subarray(KEY_ID_BYTES + IV_BYTES, KEY_ID_BYTES + IV_BYTES + TAG_BYTES);
        const decipher = createDecipheriv("aes-256-gcm", secret.key, iv, { authTagLength: TAG_BYTES })
          .setAAD(boundTo())
          .setAuthTag(tag);
        let opened: Buffer;
        try {
          opened = Buffer.concat([
            decipher.update(bytes.subarray(KEY_ID_BYTES + IV_BYTES + TAG_BYTES)),
            decipher.final(),
          ]);
        } catch (cause) {
          throw invalid(cause);
        }
        if (opened.readBigUInt64BE(0) < BigInt(now())) throw invalid();
        return opened.subarray(8).toString("utf8");
      },
    };
  };
}

function bindingOf({ principal, tool, input }: CursorScope): Buffer {
  const { cursor: _itself, ...args } = input;
  return Buffer.from(digestOf([principal.tenantId, principal.userId, tool, args]));
}

function keyIdOf({ id }: SigningSecret): Buffer {
  return createHash("sha256").update(id).digest().subarray(0, KEY_ID_BYTES);
}

function derive(secret: SigningSecret) {
  return {
    id: keyIdOf(secret),
    key: Buffer.from(hkdfSync("sha256", secret.secret, "", "azure-graph-mcp cursor v1", 32)),
  };
}

async function available(
  keys: KeyRing,
  wanted?: (secret: SigningSecret) => boolean,
): Promise<readonly SigningSecret[]> {
  try {
    return await keys(wanted);
  } catch (cause) {
    throw unavailable(cause);
  }
}

function invalid(cause?: unknown): ToolError {
  return new ToolError(
    "invalid_cursor",
    "This cursor does not belong to this search, or is older than an hour. Repeat the same arguments, or start without a cursor.",
    { cause },
  );
}

function unavailable(cause?: unknown): ToolError {
  return new ToolError("unavailable", "Paging is not available right now. Try again in a minute.", { cause });
}
