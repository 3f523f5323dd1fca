/** A request that Graph refuses: becomes the error answer with this status, code and message. */
export class GraphFailure extends Error {
  override readonly name = "GraphFailure";
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** The gateway's refusal of a request that it cannot parse or route. */
export const badRequest = (message: string) => new GraphFailure(400, "BadRequest", message);

/** The directory's refusal of a malformed value. */
export const directoryBadRequest = (message: string) => new GraphFailure(400, "Request_BadRequest", message);

/** The directory's refusal of a query that it understands and does not run. */
export const unsupportedQuery = (message: string) => new GraphFailure(400, "Request_UnsupportedQuery", message);

/** The directory's answer for an object or a reference that does not exist. */
export const resourceNotFound = (resource: string) =>
  new GraphFailure(
    404,
    "Request_ResourceNotFound",
    `Resource '${resource}' does not exist or one of its queried reference-property objects are not present.`,
  );

/** The directory's answer to a caller without the permission. */
export const requestDenied = () =>
  new GraphFailure(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.");

/** A drive's answer to a caller without the permission, of the token or of the user. */
export const driveAccessDenied = () =>
  new GraphFailure(403, "accessDenied", "The caller does not have permission to perform the action.");

/** Exchange's answer to a caller without the permission. */
export const accessDenied = () =>
  new GraphFailure(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.");

/** The answer of Teams to a caller without the permission. */
export const missingScope = (needed: readonly string[], granted: ReadonlySet<string>) =>
  new GraphFailure(
    403,
    "Forbidden",
    `Missing scope permissions on the request. API requires one of '${needed.join(", ")}'. ` +
      `Scopes on the request '${[...granted].join(", ")}'`,
  );
