import type { IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { RequestHandler } from "express";

/** What an emulator saw of one request. */
export interface RecordedRequest {
  readonly method: string;
  /** Path and query as sent, undecoded. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** What an emulator does instead of answering. */
export type Fault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    }
  /** Answers after `ms` milliseconds, as if nothing had happened. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Takes the request and never answers. */
  | { readonly kind: "hang" }
  /** Answers 200 with text that is neither JSON nor HTML. */
  | { readonly kind: "garbage" }
  /** Cuts the connection. */
  | { readonly kind: "reset" };

interface ArmedFault {
  readonly fault: Fault;
  readonly path: RegExp;
  left: number;
}

/** Records the requests of one emulator and injects faults into them. At most the last 10,000 requests are kept. */
export class Traffic {
  readonly requests: RecordedRequest[] = [];
  #faults: ArmedFault[] = [];

  /** Arms a fault for the next `times` requests (default: until {@link recover}) whose url matches `path`. */
  fail(fault: Fault, options: { readonly times?: number; readonly path?: RegExp } = {}): void {
    this.#faults.push({ fault, path: options.path ?? /(?:)/, left: options.times ?? Number.POSITIVE_INFINITY });
  }

  /** Removes every armed fault. */
  recover(): void {
    this.#faults = [];
  }

  /** Forgets the recorded requests. */
  clear(): void {
    this.requests.length = 0;
  }

  /** How many recorded requests have this method and a url that matches. */
  count(method: string, path: RegExp): number {
    return this.requests.filter((request) => request.method === method && path.test(request.url)).length;
  }

  /** Express middleware; mount it first. */
  readonly middleware: RequestHandler = async (req, res, next) => {
    this.requests.push({ method: req.method, url: req.originalUrl, headers: req.headers });
    if (this.requests.length > 10_000) this.requests.shift();
    const armed = this.#faults.find(({ path, left }) => left > 0 && path.test(req.originalUrl));
    if (!armed) {
      next();
      return;
    }
    armed.left -= 1;
    const { fault } = armed;
    switch (fault.kind) {
      case "status": {
        res.status(fault.status).set(fault.headers ?? {});
        if (typeof fault.body === "string") res.send(fault.body);
        else if (fault.body === undefined) res.end();
        else res.json(fault.body);
        return;
      }
      case "delay":
        await sleep(fault.ms, undefined, { ref: false });
        next();
        return;
      case "hang":
        return;
      case "garbage":
        res.status(200).type("application/json").send("\u0000\u0001 neither JSON nor HTML {{{");
        return;
      case "reset":
        req.socket.destroy();
        return;
    }
  };
}
