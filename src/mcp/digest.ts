import { createHash } from "node:crypto";

/** SHA-256 of a JSON value, base64url; the order of an object's members makes no difference. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value, sortMembers)).digest("base64url");
}

function sortMembers(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
