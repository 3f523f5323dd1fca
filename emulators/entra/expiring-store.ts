import { randomBytes } from "node:crypto";

/** Keeps values under unguessable keys of `[A-Za-z0-9_-]` for a limited time. */
export class ExpiringStore<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAt: number }>();
  readonly #lifetimeMs: number;

  constructor(lifetimeSeconds: number) {
    this.#lifetimeMs = lifetimeSeconds * 1000;
  }

  /** Stores a value and returns its new key. */
  add(value: Value): string {
    const now = Date.now();
    for (const [key, { expiresAt }] of this.#entries) {
      // All entries live equally long: behind the first one that is alive there are only younger ones.
      if (expiresAt + this.#lifetimeMs > now) break;
      this.#entries.delete(key);
    }
    const key = randomBytes(32).toString("base64url");
    this.#entries.set(key, { value, expiresAt: now + this.#lifetimeMs });
    return key;
  }

  /** Finds a live value. An expired one is remembered as `expired` for as long again, to tell it from an unknown key. */
  find(key: string): { readonly value: Value; readonly expired: boolean } | undefined {
    const entry = this.#entries.get(key);
    return entry && { value: entry.value, expired: entry.expiresAt <= Date.now() };
  }

  /** The value of a key that is known and alive. */
  get(key: string): Value | undefined {
    const found = this.find(key);
    return found?.expired === false ? found.value : undefined;
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }

  /** The values that are alive, oldest first. */
  values(): Value[] {
    const now = Date.now();
    return [...this.#entries.values()].filter(({ expiresAt }) => expiresAt > now).map(({ value }) => value);
  }
}
