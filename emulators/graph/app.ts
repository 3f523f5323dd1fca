import { setTimeout as sleep } from "node:timers/promises";
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from "express";
import type { Tenant } from "../directory.ts";
import type { Traffic } from "../kernel/traffic.ts";
import { type Answer, createTrace, errorAnswer, JSON_CONTENT_TYPE, type Trace } from "./answer.ts";
import { answerBatch } from "./batch.ts";
import { createAuthenticator } from "./caller.ts";
import { createDispatch } from "./dispatch.ts";
import type { Downloads } from "./downloads.ts";
import { badRequest } from "./failure.ts";
import { calendarRoutes } from "./resources/calendar.ts";
import { calendarWriteRoutes } from "./resources/calendar-writes.ts";
import { chatRoutes } from "./resources/chats.ts";
import { driveRoutes } from "./resources/drive.ts";
import { mailRoutes } from "./resources/mail.ts";
import { mailWriteRoutes } from "./resources/mail-writes.ts";
import { mailboxSettingsRoutes } from "./resources/mailbox-settings.ts";
import { peopleRoutes } from "./resources/people.ts";
import { scheduleRoutes } from "./resources/schedule.ts";
import { searchRoutes } from "./resources/search.ts";
import { todoRoutes } from "./resources/todo.ts";
import { userRoutes } from "./resources/users.ts";
import type { Call } from "./route.ts";
import type { GraphSwitches } from "./switches.ts";
import { parseVersionedTarget } from "./target.ts";

/** What the application needs from its surroundings. */
export interface AppContext {
  readonly tenant: () => Tenant;
  readonly entraOrigin: string;
  readonly traffic: Traffic;
  readonly switches: GraphSwitches;
  /** Known only once the listener has a port. */
  readonly origin: () => string;
  readonly downloads: Downloads;
  /** Origin of the store that files are downloaded from. */
  readonly downloadOrigin: () => string;
}

const routes = [
  ...userRoutes,
  ...peopleRoutes,
  ...mailboxSettingsRoutes,
  ...mailRoutes,
  ...mailWriteRoutes,
  ...calendarRoutes,
  ...calendarWriteRoutes,
  ...scheduleRoutes,
  ...driveRoutes,
  ...chatRoutes,
  ...searchRoutes,
  ...todoRoutes,
];

/** The content of a file is bytes, whatever its type says; Graph takes 250 MB of it in one request. */
const readContent = express.raw({
  type: ({ method, url = "" }) => method === "PUT" && /\/content(?:\?|$)/.test(url),
  limit: "16mb",
});

const trace = (res: Response) => (res.locals as { trace: Trace }).trace;

/** Comes before fault injection: Graph's own failures carry these ids too. */
const traceRequest: RequestHandler = (req, res, next) => {
  const ids = createTrace(req.get("client-request-id"));
  res.locals["trace"] = ids;
  res.set({ "request-id": ids.requestId, "client-request-id": ids.clientRequestId });
  next();
};

function write(res: Response, { status, headers = {}, body }: Answer): void {
  // Not through Express, which would add to the content type.
  res.status(status).setHeaders(new Map(Object.entries(headers)));
  if (body === undefined) {
    res.end();
    return;
  }
  if (body instanceof Uint8Array) {
    res.end(body);
    return;
  }
  res.setHeader("Content-Type", JSON_CONTENT_TYPE);
  res.end(JSON.stringify(body));
}

/** Wires the emulated Graph into one Express application. */
export function createApp({
  tenant,
  entraOrigin,
  traffic,
  switches,
  origin,
  downloads,
  downloadOrigin,
}: AppContext): Express {
  const authenticate = createAuthenticator(entraOrigin);
  const dispatch = createDispatch(routes);

  async function createCall(req: Request): Promise<Call> {
    const current = tenant();
    const headers = new Headers(Object.entries(req.headers).map(([name, value]) => [name, String(value)]));
    const caller = await authenticate(headers.get("authorization"), current, switches["graph.requireClaims"]);
    return {
      ...parseVersionedTarget(req.originalUrl),
      origin: origin(),
      method: req.method,
      parameters: {},
      headers,
      body: req.body as unknown,
      caller,
      tenant: current,
      switches,
      issueDownload: (download) => `${downloadOrigin()}${downloads.issue(download, switches["graph.downloadSeconds"])}`,
    };
  }

  async function answer(req: Request): Promise<Answer> {
    if (switches["graph.latencyMs"] > 0) await sleep(switches["graph.latencyMs"]);
    const call = await createCall(req);
    const batch = call.method === "POST" && call.path === "/$batch";
    return batch ? answerBatch(call, dispatch) : dispatch(call);
  }

  async function respond(req: Request, res: Response): Promise<void> {
    write(res, await answer(req).catch((error: unknown) => errorAnswer(error, trace(res), switches)));
  }

  const serve: RequestHandler = (req, res) => {
    void respond(req, res);
  };

  const refuseUnreadableBody: ErrorRequestHandler = (_error, _req, _res, next) => {
    next(
      badRequest(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
      ),
    );
  };

  const answerError: ErrorRequestHandler = (error, _req, res, _next) => {
    write(res, errorAnswer(error, trace(res), switches));
  };

  return express()
    .disable("x-powered-by")
    .use(traceRequest, traffic.middleware)
    .use(readContent, express.json({ limit: "4mb" }), refuseUnreadableBody, serve, answerError);
}
