import { join } from "node:path";
import { bundle, ROOT } from "./bundle.ts";

/** What a start does not need: loaded by the first call or sign-in. */
const LATER = [
  "@azure/msal-node",
  "@azure/msal-node-extensions",
  "@napi-rs/keyring",
  "env-paths",
  "htmlparser2",
  "open",
  "undici",
];

// In place of the compiled file: clients start a local server for each of their windows, and wait for it.
await bundle({ entryPoints: ["src/stdio.ts"], outdir: join(ROOT, "dist"), external: LATER, target: "node20" });
