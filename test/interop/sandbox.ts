import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Folders of one client, and the environment of its processes. */
export interface Sandbox {
  /** Where npm installs it, below `.local/interop/`; kept from run to run. */
  readonly folder: string;
  /** Its home and working folder: empty, and outside this repository, whose settings it would find and follow. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Removes the home. */
  remove(): Promise<void>;
}

const ROOT = join(import.meta.dirname, "../../.local/interop");
/** The discard port, where nothing listens: clients that heed these variables reach loopback only. */
const NO_PROXY_THERE = "http://127.0.0.1:9";

/** Makes a home for a client; those with the same `name` share what is installed. */
export async function createSandbox(name: string): Promise<Sandbox> {
  const home = await mkdtemp(join(tmpdir(), `interop-${name}-`));
  return {
    folder: join(ROOT, name),
    home,
    environment: environment(home),
    remove: () => rm(home, { recursive: true, force: true, maxRetries: 3 }),
  };
}

function environment(home: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_CACHE_HOME: join(home, ".cache"),
    XDG_DATA_HOME: join(home, ".local/share"),
    XDG_STATE_HOME: join(home, ".local/state"),
    LANG: "C.UTF-8",
    TERM: "dumb",
    NO_COLOR: "1",
    // The command `true`: whoever asks for a browser gets one that does nothing, on a desktop too.
    BROWSER: "true",
    HTTP_PROXY: NO_PROXY_THERE,
    HTTPS_PROXY: NO_PROXY_THERE,
    NO_PROXY: "localhost,127.0.0.1",
    DO_NOT_TRACK: "1",
  };
}
