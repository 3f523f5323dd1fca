import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { Site } from "./site.ts";

/** Answers in the place of the application, with an empty body, as the authentication container on Linux does. */
export function refuse(res: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  res
    .writeHead(status, {
      Server: "Kestrel",
      "Content-Length": "0",
      "x-ms-middleware-request-id": randomUUID(),
      ...headers,
    })
    .end();
}

/** The CORS headers of metadata and challenges; none unless the site's switch adds them. */
export function corsHeaders(site: Site): Record<string, string> {
  return site.switches["easyauth.prmCors"]
    ? { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "WWW-Authenticate" }
    : {};
}
