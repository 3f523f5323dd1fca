import type { Certificates } from "../kernel/certificates.ts";
import { listen } from "../kernel/listener.ts";
import { Traffic } from "../kernel/traffic.ts";
import { appEnvironment, createInstanceId } from "./environment.ts";
import { createForward } from "./forward.ts";
import { createFrontEnd } from "./front-end.ts";
import { createProxy } from "./proxy.ts";
import type { AppSettings, AuthSettings } from "./settings.ts";
import type { Site } from "./site.ts";
import { type AppServiceSwitches, DEFAULT_SWITCHES } from "./switches.ts";
import { createTokenValidator } from "./tokens.ts";

export type { AppSettings, AuthSettings, UnauthenticatedClientAction } from "./settings.ts";
export type { AppServiceSwitches } from "./switches.ts";

/** One site, as its resource definition would describe it. */
export interface AppServiceOptions {
  readonly authSettings: AuthSettings;
  readonly appSettings: AppSettings;
  /** Where the application listens; {@link AppService.setApp} may name it later. */
  readonly app?: { readonly origin: string };
  /** 0 (default) takes a free port. */
  readonly port?: number;
  /** With certificates the front end speaks https, otherwise plain http on loopback. */
  readonly certificates?: Certificates;
  /** Plain http origin of the Entra emulator, for its signing keys. */
  readonly keysOrigin: string;
  readonly switches?: Partial<AppServiceSwitches>;
  readonly siteName?: string;
  /** `siteConfig.healthCheckPath`; only `easyauth.healthCheckBypass` looks at it. */
  readonly healthCheckPath?: string;
}

/** A running site: the front end with App Service Authentication, in front of the application. */
export interface AppService {
  /** Where clients reach the site. */
  readonly origin: string;
  readonly traffic: Traffic;
  /** Mutable; a change applies to the next request. */
  readonly switches: AppServiceSwitches;
  /** Mutable; a change applies to the next request. */
  readonly authSettings: AuthSettings;
  /** Mutable; the front end reads them when the site starts, so a change applies after {@link restart}. */
  readonly appSettings: AppSettings;
  /** What the platform puts into the environment of the application. */
  environment(): Record<string, string>;
  /** Names the origin of the application; requests before that are answered with 503. */
  setApp(origin: string): void;
  /** Reads the app settings again. Sign-in sessions survive. */
  restart(): void;
  close(): Promise<void>;
}

/** Starts a site on loopback. */
export async function startAppService(options: AppServiceOptions): Promise<AppService> {
  const { authSettings, siteName = "local", healthCheckPath } = options;
  const appSettings = { ...options.appSettings };
  const switches = { ...DEFAULT_SWITCHES, ...options.switches };
  const traffic = new Traffic();
  const proxy = createProxy();
  const instanceId = createInstanceId();
  let running: Readonly<AppSettings> = { ...appSettings };
  let hostName = "localhost";
  let appOrigin = options.app?.origin;

  const site: Site = {
    authSettings,
    get appSettings() {
      return running;
    },
    switches,
    ...(healthCheckPath ? { healthCheckPath } : {}),
  };

  const forward = createForward({ proxy, switches, siteName, hostName: () => hostName, appOrigin: () => appOrigin });
  const frontEnd = createFrontEnd({ site, traffic, forward, validate: createTokenValidator(options.keysOrigin) });
  const listener = await listen("the App Service emulator", frontEnd, options);
  hostName = new URL(listener.origin).host;
  return {
    origin: listener.origin,
    traffic,
    switches,
    authSettings,
    appSettings,
    environment: () => appEnvironment(authSettings, appSettings, { siteName, hostName, instanceId }),
    setApp(origin) {
      appOrigin = origin;
    },
    restart() {
      running = { ...appSettings };
    },
    async close() {
      await listener.close();
      proxy.close();
    },
  };
}
