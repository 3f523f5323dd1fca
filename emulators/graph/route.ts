import type { Tenant } from "../directory.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";
import type { Download } from "./downloads.ts";
import type { QueryOptions, SystemOption } from "./odata/options.ts";
import type { GraphSwitches } from "./switches.ts";

/** One request to a resource, on its own or as an item of a batch. */
export interface Call<Parameter extends string = never> {
  /** Origin of the emulator, without a trailing slash. */
  readonly origin: string;
  readonly method: string;
  /** Below `/v1.0`, undecoded, with its leading slash: `/users/AdeleV%40contoso.com`. */
  readonly path: string;
  /** The decoded values of the route's placeholders. */
  readonly parameters: Readonly<Record<Parameter, string>>;
  readonly options: QueryOptions;
  readonly headers: Headers;
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown;
  readonly caller: Caller;
  readonly tenant: Tenant;
  readonly switches: GraphSwitches;
  /** Makes the address from which a file can be had without a token. */
  readonly issueDownload: (download: Download) => string;
}

type Placeholder<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholder<Rest>
  : never;

/** One operation of Graph: what it takes, who may call it and what it answers. */
export interface Route<Path extends string = string> {
  readonly method: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** Below `/v1.0`, with placeholders: `/users/{id}/manager`. */
  readonly path: Path;
  /** Any one of these suffices. */
  readonly permissions: readonly string[];
  /** Which service answers: its errors and headers differ. */
  readonly service: "directory" | "drive" | "exchange" | "teams";
  /** OData system query options that this operation takes; others are refused. */
  readonly options: readonly SystemOption[];
  /** Cost against the directory's limit before `$select` and `$top` lower it. */
  readonly resourceUnits?: number;
  handle(call: Call<Placeholder<Path>>): Answer | Promise<Answer>;
}

/** Infers the placeholders of a route from its path. */
export const defineRoute = <const Path extends string>(route: Route<Path>): Route => route;
