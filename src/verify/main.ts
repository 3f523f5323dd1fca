import { parseArgs } from "node:util";
import { NoAnswerError } from "./probe.ts";
import { exitCodeOf, renderReport } from "./report.ts";
import { verifyDeployment } from "./verify.ts";

const USAGE = `Usage: npm run verify -- <url of the MCP endpoint> [--token <access token>] [--expired-token <one that was good once>] [--json]

Looks at a deployment from outside, as an attacker and as a client would, and changes nothing that lasts: a broker forgets
the client that is registered at it within an hour. With a token of a person (or in VERIFY_TOKEN, which other users of this
machine do not see) it also lists the tools and reads that person's profile.
Exit code: 0 nothing found, 1 findings, 2 could not be checked.`;

/** Runs the check from the command line. */
async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      token: { type: "string" },
      "expired-token": { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const url = endpointOf(positionals);
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  if (!url) {
    process.stderr.write(`${USAGE}\n`);
    return 2;
  }
  const report = await verifyDeployment(url, {
    token: values.token ?? (process.env["VERIFY_TOKEN"] || undefined),
    expiredToken: values["expired-token"] ?? (process.env["VERIFY_EXPIRED_TOKEN"] || undefined),
  });
  process.stdout.write(`${values.json ? JSON.stringify(report, undefined, 2) : renderReport(report)}\n`);
  return exitCodeOf(report);
}

/** The one address of the command line; a bare origin stands for its `/mcp`. */
function endpointOf([given, ...more]: readonly string[]): URL | undefined {
  if (given === undefined || more.length > 0 || !URL.canParse(given)) return undefined;
  const url = new URL(given);
  if (!["http:", "https:"].includes(url.protocol)) return undefined;
  url.search = "";
  url.hash = "";
  if (url.pathname === "/") url.pathname = "/mcp";
  return url;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = (error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS") === true;
  if (!isUsage && !(error instanceof NoAnswerError)) throw error;
  process.stderr.write(`${(error as Error).message}\n${isUsage ? `\n${USAGE}\n` : ""}`);
  process.exitCode = 2;
}
