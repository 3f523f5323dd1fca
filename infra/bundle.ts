import { join } from "node:path";
import { type BuildOptions, type BuildResult, build } from "esbuild";

/** Root of this repository. */
export const ROOT = join(import.meta.dirname, "..");

/** What there is to decide about a bundle. */
type BundleOptions = Pick<
  BuildOptions,
  "chunkNames" | "entryPoints" | "external" | "outdir" | "outbase" | "splitting" | "target"
>;

/** Writes programs of `src/` with what they import from packages in few files: half of a start is reading modules. */
export function bundle(options: BundleOptions): Promise<BuildResult<{ metafile: true }>> {
  return build({
    ...options,
    absWorkingDir: ROOT,
    bundle: true,
    platform: "node",
    format: "esm",
    // Packages in CommonJS call it.
    banner: { js: 'import { createRequire as bundled } from "node:module"; const require = bundled(import.meta.url);' },
    // Less to read at start. No other minification: oidc-provider stores its models under the names of their classes.
    minifyWhitespace: true,
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "linked",
    metafile: true,
    logLevel: "warning",
    logOverride: { "empty-import-meta": "silent" },
  });
}
