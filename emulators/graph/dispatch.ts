import type { Answer } from "./answer.ts";
import { accessDenied, badRequest, driveAccessDenied, GraphFailure, missingScope, requestDenied } from "./failure.ts";
import type { Call, Route } from "./route.ts";

interface Match {
  readonly route: Route;
  readonly parameters: Record<string, string>;
}

/** `{id}` is any segment, `{id}:` one that ends with a colon: so items of a drive are addressed by path. */
const placeholder = (part: string) => /^\{(.+)\}:?$/.exec(part)?.[1];

function fits(part: string | undefined, segment: string): boolean {
  if (part === undefined) return false;
  if (placeholder(part) === undefined) return part.toLowerCase() === segment.toLowerCase();
  return !part.endsWith(":") || segment.endsWith(":");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest("Bad Request - Error in path syntax.");
  }
}

function find(routes: readonly (readonly [parts: readonly string[], route: Route])[], call: Call): Match {
  const segments = call.path.split("/").slice(1).map(decode);
  let candidates = routes;
  for (const [index, segment] of segments.entries()) {
    candidates = candidates.filter(([parts]) => fits(parts[index], segment));
    if (candidates.length === 0) throw badRequest(`Resource not found for the segment '${segment.slice(0, 256)}'.`);
  }
  candidates = candidates.filter(([parts]) => parts.length === segments.length);
  if (candidates.length === 0) throw badRequest(`Resource not found for the segment '${segments.at(-1) ?? ""}'.`);
  const [parts, route] = candidates.find(([, { method }]) => method === call.method) ?? [];
  if (!parts || !route) {
    throw new GraphFailure(405, "BadRequest", "Specified HTTP method is not allowed for the request target.");
  }
  const parameters = Object.fromEntries(
    parts.flatMap((part, index) => {
      const name = placeholder(part);
      const segment = segments[index] ?? "";
      return name === undefined ? [] : [[name, part.endsWith(":") ? segment.slice(0, -1) : segment]];
    }),
  );
  return { route, parameters };
}

/** How each service refuses a caller without the permission. */
const REFUSALS = {
  directory: requestDenied,
  drive: driveAccessDenied,
  exchange: accessDenied,
  teams: missingScope,
} as const;

function authorize({ path, permissions, service }: Route, { caller }: Call): void {
  if (/^\/me(?:\/|$)/.test(path) && !caller.delegated) {
    throw badRequest("/me request is only valid with delegated authentication flow.");
  }
  if (!permissions.some((permission) => caller.permissions.has(permission))) {
    throw REFUSALS[service](permissions, caller.permissions);
  }
}

function directoryHeaders({ resourceUnits = 1 }: Route, { options, switches, caller, tenant }: Call) {
  const saved = Number(options.has("$select")) + Number(Number(options.get("$top") ?? 100) < 20);
  const percentage = switches["graph.throttleLimitPercentage"];
  return {
    "x-ms-resource-unit": String(Math.max(1, resourceUnits - saved)),
    ...(percentage !== undefined && {
      "x-ms-throttle-limit-percentage": String(percentage),
      "x-ms-throttle-scope": `Tenant_Application/ReadWrite/${caller.clientAppId}/${tenant.id}`,
      "x-ms-throttle-information": "ResourceUnitLimitExceeded",
    }),
  };
}

/** Runs one call against the routes: finds, authorises, answers. Throws {@link GraphFailure}. */
export type Dispatch = (call: Call) => Promise<Answer>;

/** Builds the {@link Dispatch} of a table of routes. */
export function createDispatch(routes: readonly Route[]): Dispatch {
  const table = routes.map((route) => [route.path.split("/").slice(1), route] as const);
  return async (call) => {
    const { route, parameters } = find(table, call);
    authorize(route, call);
    const refused = [...call.options.keys()].find(
      (name) => name.startsWith("$") && !(route.options as readonly string[]).includes(name),
    );
    if (refused !== undefined) throw badRequest(`'${refused}' is not supported by the service.`);
    const answer = await route.handle({ ...call, parameters });
    if (route.service !== "directory") return answer;
    return { ...answer, headers: { ...directoryHeaders(route, call), ...answer.headers } };
  };
}
