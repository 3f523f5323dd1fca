import { publish } from "./definition.ts";
import { digestOf } from "./digest.ts";
import type { Tool } from "./tool.ts";

/** `tools.lock.json`: the digest of every tool that was reviewed, by name. */
export interface ToolsLock {
  readonly version: number;
  readonly tools: Readonly<Record<string, string>>;
}

/** `_meta` key of the answer to `tools/list` that holds the digests of its tools, by name. */
export const DIGESTS_META_KEY = "azure-graph-mcp/digests";
const LOCK_VERSION = 1;

/**
 * Digests of tools by name: SHA-256, base64url, over all that is published of a tool, its effect and its permissions.
 * The order of members makes no difference.
 */
export function digestTools(tools: readonly Tool[]): Map<string, string> {
  return new Map(
    tools.map((tool) => {
      const { effect, permissions, optionalPermissions = [] } = tool;
      return [tool.name, digestOf({ ...publish(tool), effect, permissions, optionalPermissions })];
    }),
  );
}

/** The lock of these tools. */
export function lockOf(tools: readonly Tool[]): ToolsLock {
  return { version: LOCK_VERSION, tools: Object.fromEntries(digestTools(tools)) };
}

/** Names of the tools whose definition is not the one that was reviewed. */
export function findUnreviewed(digests: ReadonlyMap<string, string>, lock: ToolsLock): string[] {
  if (lock.version !== LOCK_VERSION) return [...digests.keys()];
  return [...digests].filter(([name, digest]) => lock.tools[name] !== digest).map(([name]) => name);
}
