import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { people } from "../../emulators/contoso/users.ts";
import { createCertificates } from "../../emulators/kernel/certificates.ts";
import { startLocalCloud } from "../../emulators/local-cloud.ts";
import { startLoadBalancer } from "../support/load-balancer.ts";
import { startRedis } from "./redis.ts";
import { startTokenProxy } from "./token-proxy.ts";

/** How the server is deployed for a run of the suite. */
export interface Arrangement {
  readonly name: string;
  readonly instances: number;
  /** Path of redis-server; without it, every instance has a bus of its own. */
  readonly redisServer: string | undefined;
}

/** The server with the fixtures, behind App Service Authentication. */
export interface Deployment {
  /** The MCP endpoint; needs no token. */
  readonly url: string;
  /** How many requests each instance has got. */
  requests(): readonly number[];
  close(): Promise<void>;
}

const INSTANCE = join(import.meta.dirname, "instance.js");
const START_MS = 20_000;

/**
 * Starts the local cloud, the instances as processes of their own, and what is in front of them: a proxy with an access
 * token, App Service Authentication, a load balancer without affinity. The instances write their logs into `folder`.
 */
export async function startDeployment({ instances, redisServer }: Arrangement, folder: string): Promise<Deployment> {
  const started: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.unshift(part);
    return part;
  };
  const close = async () => {
    for (const part of started) await part.close();
  };
  try {
    const certificates = await createCertificates();
    await mkdir(folder, { recursive: true });
    const caFile = join(folder, "ca.pem");
    await writeFile(caFile, certificates.ca);
    const cloud = keep(await startLocalCloud({ certificates }));
    const redis = redisServer === undefined ? undefined : keep(await startRedis(redisServer));
    const environment = {
      ...cloud.environment(),
      NODE_EXTRA_CA_CERTS: caFile,
      INSTANCE_COUNT: String(instances),
      LOG_LEVEL: "debug",
      ...(redis && { REDIS_URL: redis.url }),
    };
    const ports: number[] = [];
    for (let n = 1; n <= instances; n++) {
      const instance = keep(await startInstance(environment, join(folder, `instance-${n}.log`)));
      ports.push(instance.port);
    }
    const balancer = keep(await startLoadBalancer());
    balancer.use(ports);
    if (!cloud.appService) throw new Error("The local cloud was started without App Service.");
    cloud.appService.setApp(balancer.origin);
    const token = await cloud.entra.issueAccessToken({
      user: people.normal.id,
      client: CONTOSO.sampleClientId,
      scope: `api://${CONTOSO.serverAppId}/${CONTOSO.scope}`,
    });
    const front = keep(await startTokenProxy(cloud.appService.origin, token));
    return {
      url: `${front.origin}/mcp`,
      requests: () => ports.map((port) => balancer.hits.get(port) ?? 0),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startInstance(environment: Record<string, string>, logFile: string) {
  const log = await open(logFile, "w");
  const child = fork(INSTANCE, {
    env: { PATH: process.env["PATH"], ...environment },
    stdio: ["ignore", log.fd, log.fd, "ipc"],
  });
  const kill = (): void => void child.kill();
  process.once("exit", kill);
  const close = async () => {
    process.off("exit", kill);
    await stop(child, log);
  };
  try {
    const [message] = (await Promise.race([
      once(child, "message", { signal: AbortSignal.timeout(START_MS) }),
      once(child, "exit").then(() => Promise.reject(new Error(`An instance did not start; see ${logFile}.`))),
    ])) as [{ readonly port: number }];
    return { port: message.port, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function stop(child: ChildProcess, log: FileHandle): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const end = once(child, "exit");
    child.kill();
    await end;
  }
  await log.close();
}
