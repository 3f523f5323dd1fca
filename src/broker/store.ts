/**
 * Keeps texts for a time: in the process for one instance, in Redis for more. Implemented in `platform/`.
 *
 * Every method rejects while the store cannot be reached.
 */
export interface BrokerStore {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Writes only what is still there, for the rest of its time; says whether it was. */
  replace(key: string, value: string): Promise<boolean>;
  /** Lets what is still there live for this time from now; says whether it was. */
  extend(key: string, ttlMs: number): Promise<boolean>;
  /** Reads and deletes in one step: of several that ask at once, one gets it. */
  take(key: string): Promise<string | undefined>;
  /** Writes a mark unless it is there; says whether it was the first. */
  claim(key: string, ttlMs: number): Promise<boolean>;
  delete(...keys: string[]): Promise<void>;
  addMember(key: string, member: string, ttlMs: number): Promise<void>;
  removeMember(key: string, member: string): Promise<void>;
  members(key: string): Promise<string[]>;
  close(): Promise<void>;
}
