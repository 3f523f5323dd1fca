import { randomBytes, randomUUID } from "node:crypto";
import { EncryptJWT, type JWTPayload, jwtDecrypt } from "jose";
import { LRUCache } from "lru-cache";

/** What the token store keeps for a session. */
export interface StoredTokens {
  readonly idToken?: string;
  readonly accessToken?: string;
  /** Epoch seconds. */
  readonly expiresOn: number;
}

/** Somebody who signed in at `/.auth/login/aad`. */
export interface Session {
  readonly id: string;
  readonly claims: JWTPayload;
}

/** Seals values that leave the process and come back: sessions and pending sign-ins. */
export interface Vouchers {
  seal(value: Record<string, unknown>, expiresOn: number): Promise<string>;
  /** The sealed value, or undefined when it was forged, tampered with, or has expired. */
  open(sealed: string): Promise<Record<string, unknown> | undefined>;
}

/** Creates vouchers under a key that dies with the process. */
export function createVouchers(): Vouchers {
  const key = randomBytes(32);
  return {
    seal: (value, expiresOn) =>
      new EncryptJWT({ value })
        .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
        .setExpirationTime(expiresOn)
        .encrypt(key),
    async open(sealed) {
      try {
        const { payload } = await jwtDecrypt<{ value: Record<string, unknown> }>(sealed, key);
        return payload.value;
      } catch {
        return undefined;
      }
    },
  };
}

/** The sessions of one site, and the tokens stored for them. */
export interface Sessions {
  start(claims: JWTPayload, tokens: StoredTokens, expiresOn: number): Promise<string>;
  resume(sealed: string): Promise<Session | undefined>;
  tokens(session: Session): StoredTokens | undefined;
  forget(session: Session): void;
}

/** Creates the sessions of one site: claims travel sealed in the cookie, tokens stay in the process. */
export function createSessions(vouchers: Vouchers): Sessions {
  const store = new LRUCache<string, StoredTokens>({ max: 1000 });
  return {
    start(claims, tokens, expiresOn) {
      const session: Session = { id: randomUUID(), claims };
      store.set(session.id, tokens);
      return vouchers.seal({ session }, expiresOn);
    },
    async resume(sealed) {
      const value = await vouchers.open(sealed);
      return value?.["session"] as Session | undefined;
    },
    tokens: (session) => store.get(session.id),
    forget: (session) => {
      store.delete(session.id);
    },
  };
}
