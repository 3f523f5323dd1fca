import { randomUUID } from "node:crypto";

/** What a caller may say about a version of a secret. */
export interface SecretAttributes {
  readonly enabled?: boolean;
  /** Informational, as in Key Vault: the secret can be read before. */
  readonly notBefore?: Date;
  /** Informational, as in Key Vault: the secret can be read afterwards. */
  readonly expires?: Date;
}

/** One version of a secret. */
export interface SecretVersion {
  readonly name: string;
  /** 32 hex digits. */
  readonly version: string;
  readonly value: string;
  readonly attributes: SecretAttributes;
  readonly created: Date;
  readonly updated: Date;
}

/** The secrets of one vault. Names are compared without regard to case. */
export interface Secrets {
  set(name: string, value: string, attributes?: SecretAttributes): SecretVersion;
  /** Changes attributes of a version, of the latest when none is named; throws when there is no such version. */
  update(name: string, version: string | undefined, attributes: SecretAttributes): SecretVersion;
  /** A version, or the latest when none is named. */
  get(name: string, version?: string): SecretVersion | undefined;
  /** The latest version of every secret, by name. */
  list(): readonly SecretVersion[];
  /** All versions of a secret in the order of their ids, which is not the order of their creation. */
  versions(name: string): readonly SecretVersion[];
}

/** Creates an empty vault. */
export function createSecrets(): Secrets {
  const secrets = new Map<string, SecretVersion[]>();
  const versionsOf = (name: string) => secrets.get(name.toLowerCase()) ?? [];
  const get = (name: string, version?: string) =>
    version ? versionsOf(name).find((entry) => entry.version === version) : versionsOf(name).at(-1);
  return {
    get,
    set(name, value, attributes = {}) {
      if (!/^[0-9A-Za-z-]{1,127}$/.test(name)) throw new Error(`"${name}" cannot be the name of a secret.`);
      const now = new Date();
      const version = randomUUID().replaceAll("-", "");
      const created = { name, version, value, attributes, created: now, updated: now };
      secrets.set(name.toLowerCase(), [...versionsOf(name), created]);
      return created;
    },
    update(name, version, attributes) {
      const before = get(name, version);
      if (!before) throw new Error(`The vault has no ${version ? `version ${version} of ` : ""}secret "${name}".`);
      const after = { ...before, attributes: { ...before.attributes, ...attributes }, updated: new Date() };
      secrets.set(
        name.toLowerCase(),
        versionsOf(name).map((entry) => (entry === before ? after : entry)),
      );
      return after;
    },
    list: () => [...secrets.values()].flatMap((versions) => versions.at(-1) ?? []).sort(by((entry) => entry.name)),
    versions: (name) => versionsOf(name).toSorted(by((entry) => entry.version)),
  };
}

function by(key: (entry: SecretVersion) => string): (a: SecretVersion, b: SecretVersion) => number {
  return (a, b) => (key(a) < key(b) ? -1 : 1);
}
