import express, { type RequestHandler } from "express";
import { createAccessTokenVerifier } from "../kernel/access-tokens.ts";
import type { Certificates } from "../kernel/certificates.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";

/** One Application Insights resource. */
export interface AppInsightsOptions {
  /** Plain http origin of the Entra emulator, for its signing keys. */
  readonly entraOrigin: string;
  readonly tenantId: string;
  /** Object ids that hold the role Monitoring Metrics Publisher; without the list everybody in the tenant does. */
  readonly publishers?: readonly string[];
  readonly certificates: Certificates;
  /** 0 (default) takes a free port. */
  readonly port?: number;
}

/** An item of telemetry as it was sent: an envelope of the Breeze protocol. */
export interface TelemetryItem {
  readonly name: string;
  readonly time: string;
  readonly iKey?: string;
  readonly sampleRate?: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly data: { readonly baseType: string; readonly baseData: Readonly<Record<string, unknown>> };
}

/** A running resource: ingestion with Entra ID, as with local authentication off. */
export interface AppInsights {
  readonly origin: string;
  readonly connectionString: string;
  readonly traffic: Traffic;
  /** What was accepted, in its order. */
  readonly items: TelemetryItem[];
  close(): Promise<void>;
}

const AUDIENCE = "https://monitor.azure.com";
const INSTRUMENTATION_KEY = "0f3c5a1e-8b7d-4e2a-9c6f-1d2e3f4a5b6c";
const BODY_LIMIT = "64mb";

/** Starts a resource on loopback. */
export async function startAppInsights(options: AppInsightsOptions): Promise<AppInsights> {
  const traffic = new Traffic();
  const items: TelemetryItem[] = [];
  const app = express()
    .disable("x-powered-by")
    .disable("etag")
    .use(traffic.middleware)
    .post(/^\/QuickPulseService\.svc\//, (_req, res) => {
      res.set("x-ms-qps-subscribed", "false").json({});
    })
    .post("/v2.1/track", requirePublisher(options), express.json({ limit: BODY_LIMIT }), track(items))
    .use((_req, res) => void res.status(404).end());
  const listener = await listen("the Application Insights emulator", app, options);
  const { origin } = listener;
  const connectionString = `InstrumentationKey=${INSTRUMENTATION_KEY};IngestionEndpoint=${origin}/;LiveEndpoint=${origin}/`;
  return { origin, connectionString, traffic, items, close: () => listener.close() };
}

function requirePublisher({ entraOrigin, tenantId, publishers }: AppInsightsOptions): RequestHandler {
  const verify = createAccessTokenVerifier(entraOrigin, tenantId);
  return async (req, res, next) => {
    const token = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? "")?.[1];
    const claims = token === undefined ? undefined : await verify(token, AUDIENCE).catch(() => undefined);
    const may = claims?.tid === tenantId && (publishers?.includes(claims.oid) ?? true);
    if (may) {
      next();
      return;
    }
    res.status(claims ? 403 : 401).json(refusal(claims ? 403 : 401));
  };
}

function refusal(statusCode: number) {
  return { itemsReceived: 0, itemsAccepted: 0, errors: [{ index: 0, statusCode, message: "Authorization failed" }] };
}

function track(items: TelemetryItem[]): RequestHandler {
  return (req, res) => {
    const received: unknown = req.body;
    if (!Array.isArray(received)) {
      res.status(400).json(refusal(400));
      return;
    }
    items.push(...(received as TelemetryItem[]));
    res.json({ itemsReceived: received.length, itemsAccepted: received.length, errors: [] });
  };
}
