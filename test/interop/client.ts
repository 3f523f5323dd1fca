import type { McpWire } from "./mcp-wire.ts";
import type { Sandbox } from "./sandbox.ts";

/** A server that clients reach by its URL, and Adele who uses it. */
export interface RemoteServer {
  readonly mcpUrl: string;
  /** The public client of the sample tenant; undefined where clients are told nothing but the URL. */
  readonly clientId: string | undefined;
  /** A metadata document, for clients whose own is on the internet, which is out of reach here. */
  readonly documentUrl?: string;
  /** Goes through the sign-in pages as Adele; answers the client's redirect URI with the code. */
  readonly signIn: (authorizeUrl: string | URL) => Promise<URL>;
  /** An access token of Adele's, for clients that nobody can sign in here; `why` is printed below the matrix. */
  readonly token: (why: string) => Promise<string>;
}

/** A server that clients start, on a machine where Adele has signed in. */
export interface LocalServer {
  readonly command: string;
  readonly args: readonly string[];
}

/** What a client is pointed at. */
export type Target = (RemoteServer | LocalServer) & {
  /** What has reached App Service from this client; empty in the other ways in. */
  readonly wire: McpWire;
  /** Where the client is installed and keeps its files. */
  readonly sandbox: Sandbox;
};

/** `true` when it was seen to work; otherwise why it cannot be seen. What does not work is thrown. */
export type Sight = true | string;

/** What was seen of a client. */
export interface Observation {
  readonly list: Sight;
  /** `get_my_profile` answered Adele's profile, and the client showed it. */
  readonly call: Sight;
  readonly elicitation: Sight;
}

/** One row of the matrix. */
export interface InteropClient {
  readonly name: string;
  readonly version: string;
  /** Connects, lists the tools, calls two; answers what was seen, or why this way in is none for it. */
  drive(target: Target): Promise<Observation | string>;
}

/** A client that this machine cannot install or start: reported, not counted as a failure. */
export class NotRun extends Error {
  override readonly name = "NotRun";
}

/** The tool that every client calls. */
export const TOOL = "get_my_profile";
/** The name in its answer. */
export const PERSON = "Adele Vance";
/** A call that the person has to approve before it does anything. */
export const ASKING = {
  name: "send_mail",
  arguments: { to: ["MeganB@contoso.com"], subject: "Interoperability", body: "Hello Megan" },
};
/** What somebody answers who approves. */
export const APPROVED = { action: "accept", content: { approve: true } } as const;

/** What a client made of the question of {@link ASKING}, by what it showed of the result; anything unknown is thrown. */
export function howItAsked(shown: string): Sight {
  if (/sent\W{1,6}true/.test(shown)) return true;
  if (shown.includes("this client cannot ask for it"))
    return "Cannot show the question: the call is refused, nothing is done.";
  if (shown.includes("did not approve")) return "Answers no without a person: nothing is done.";
  throw new Error(`The approval ended otherwise: ${shown.trim().slice(-600)}`);
}

/** Throws with the end of what a client showed unless `text` is in it. */
export function mustShow(shown: string, text: string): true {
  if (!shown.includes(text)) throw new Error(`"${text}" was expected, but this was shown: ${shown.trim().slice(-600)}`);
  return true;
}
