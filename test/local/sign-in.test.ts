import { readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { CONTOSO } from "../../emulators/contoso/tenant.ts";
import { answerSignIn, Browser, type SignInChoices } from "../support/browser.ts";
import { eventually } from "../support/eventually.ts";
import { CLIENTS } from "../support/mcp-clients.ts";
import {
  type LocalClient,
  type Machine,
  type Question,
  SLOW_DISK,
  startMachine,
  TEN_MINUTES_PASS,
  TWO_HOURS_AGO,
} from "./local-server.ts";

// Some of these tests start several processes.
vi.setConfig({ testTimeout: 40_000 });

const ERROR = "azure-graph-mcp/error";

let machine: Machine;
beforeAll(async () => {
  machine = await startMachine();
});
afterEach(async () => {
  await machine.reset();
  machine.cloud.entra.traffic.recover();
  machine.cloud.entra.traffic.clear();
  machine.cloud.graph.switches["graph.requireClaims"] = undefined;
  machine.cloud.tenant.grants = machine.cloud.tenant.grants.filter(
    ({ clientAppId }) => clientAppId !== CONTOSO.localClientId,
  );
});
afterAll(() => machine.close());

const INVALID_GRANT = {
  kind: "status",
  status: 400,
  body: { error: "invalid_grant", error_description: "AADSTS700082: c4n4ry", error_codes: [700082] },
} as const;
const tokenRequests = () => machine.cloud.entra.traffic.count("POST", /\/oauth2\/v2\.0\/token/);
const graph = (permission: string) => `${machine.environment["GRAPH_ENDPOINT"]}/${permission}`;

describe.each(CLIENTS)("the local server with %s", (kind) => {
  test("lists its tools without a sign-in, and the first call opens the browser", async () => {
    const client = await machine.connect(kind);
    expect((await client.listTools()).map(({ name }) => name)).toContain("get_my_profile");
    expect(await machine.opened()).toEqual([]);

    const call = client.call("get_my_profile");
    const page = await machine.signIn({ as: "AdeleV" });

    expect(page.html).toContain("You are signed in.");
    expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("gives the page to a client that opens addresses, and opens none itself", async () => {
    const questions: Question[] = [];
    const client = await machine.connect(kind, {
      async elicit(question) {
        questions.push(question);
        const person = new Browser();
        void person.open(question.url ?? "").then((page) => answerSignIn(person, page, { as: "AdeleV" }));
        return { action: "accept" };
      },
    });

    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(questions).toMatchObject([{ mode: "url", message: expect.stringMatching(/^To sign in, use the page/) }]);
    expect(await machine.opened()).toEqual([]);
  });

  test("says so when the person does not want to sign in", async () => {
    const client = await machine.connect(kind, { elicit: async () => ({ action: "decline" }) });

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: "The person did not want to sign in, and nothing was done." }],
      _meta: { [ERROR]: { code: "interaction_required" } },
    });
  });
});

describe("what is asked for", () => {
  test("the permissions of the toolsets that are on, and no more", async () => {
    const client = await machine.connect(undefined, { args: ["--toolsets", "profile,calendar"] });
    const call = client.call("get_my_profile");
    const url = await eventually(async () => (await machine.opened())[0] ?? "", "the browser was opened");

    const { searchParams, origin } = new URL(url);
    expect(origin).toBe(machine.cloud.entra.httpOrigin);
    expect(searchParams.get("scope")?.split(" ").sort()).toEqual(
      [
        graph("Calendars.Read"),
        graph("MailboxSettings.Read"),
        graph("User.Read"),
        "offline_access",
        "openid",
        "profile",
      ].sort(),
    );
    expect(searchParams.get("code_challenge_method")).toBe("S256");
    expect(searchParams.get("response_mode")).toBe("form_post");
    await machine.signIn({ as: "AdeleV" });
    await call;
  });

  test("the rest, when a toolset that was switched on later is used for the first time", async () => {
    await (await machine.connectAs("AdeleV", { args: ["--toolsets", "profile"] })).close();
    const client = await machine.connect(undefined, { args: ["--toolsets", "profile,mail"] });

    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    expect(await machine.opened()).toHaveLength(1);

    const call = client.call("search_messages", { query: "budget" });
    await machine.signIn({ as: "AdeleV" }, 1);
    expect((await call).isError).toBeFalsy();
    expect(await machine.opened()).toHaveLength(2);
  });

  test("nothing again by a second server, nor by the same one started anew", async () => {
    await machine.connectAs("AdeleV");
    const second = await machine.connect();

    expect((await second.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(await machine.opened()).toHaveLength(1);
    expect(tokenRequests()).toBe(1);
  });

  test("a new token by the refresh token, when the old one has expired", async () => {
    await machine.connectAs("AdeleV", { environment: TWO_HOURS_AGO });
    const later = await machine.connect();

    expect((await later.call("get_my_profile")).isError).toBeFalsy();
    expect(await machine.opened()).toHaveLength(1);
    expect(tokenRequests()).toBe(2);
  });

  test("an interactive sign-in with the claims that Graph demands", async () => {
    const client = await machine.connectAs("AdeleV");
    const claims = JSON.stringify({
      access_token: { nbf: { essential: true, value: `${Math.floor(Date.now() / 1000) + 2}` } },
    });
    machine.cloud.graph.switches["graph.requireClaims"] = claims;
    machine.cloud.entra.traffic.fail(
      {
        kind: "status",
        status: 400,
        body: {
          error: "interaction_required",
          suberror: "basic_action",
          error_description: "AADSTS50076: c4n4ry",
          claims,
        },
      },
      { path: /\/token/, times: 1 },
    );

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("extra sign-in step") }],
    });
    const call = client.call("get_my_profile");
    await sleep(2500);
    await machine.signIn({ as: "AdeleV", mfa: true }, 1);

    expect((await call).isError).toBeFalsy();
    const [, url = ""] = await machine.opened();
    expect(JSON.parse(new URL(url).searchParams.get("claims") ?? "")).toMatchObject({
      access_token: { nbf: { essential: true }, xms_cc: { values: ["cp1"] } },
    });
  });

  test("other claims while the page for the first ones is open: that page stays good, and the others come after it", async () => {
    const client = await machine.connectAs("AdeleV");
    const now = Math.floor(Date.now() / 1000);
    const [first, second] = [now + 1, now + 2].map((value) =>
      JSON.stringify({ access_token: { nbf: { essential: true, value: `${value}` } } }),
    );
    const { graph: graphApi, entra } = machine.cloud;
    entra.traffic.fail(
      { kind: "status", status: 400, body: { error: "interaction_required", error_description: "AADSTS50076" } },
      { path: /\/token/ },
    );
    const nbfOf = (url = "") => JSON.parse(new URL(url).searchParams.get("claims") ?? "{}").access_token?.nbf?.value;

    graphApi.switches["graph.requireClaims"] = first;
    const seen = graphApi.traffic.requests.length;
    graphApi.traffic.fail({ kind: "delay", ms: 2000 }, { times: 1 });
    const late = client.call("list_events");
    await eventually(() => graphApi.traffic.requests.length > seen, "the late call reached Graph");
    await client.call("get_my_profile");
    const asking = client.call("get_my_profile");
    await eventually(async () => (await machine.opened()).length === 2, "the page was opened");
    graphApi.switches["graph.requireClaims"] = second;
    expect(await late).toMatchObject({ content: [{ text: expect.stringContaining("extra sign-in step") }] });
    const joining = client.call("get_my_profile");
    await sleep(1000);
    entra.traffic.recover();
    await machine.signIn({ as: "AdeleV", mfa: true }, 1);

    for (const call of [asking, joining]) {
      expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    }
    const next = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV", mfa: true }, 2);
    expect((await next).isError).toBeFalsy();
    expect((await machine.opened()).slice(1).map(nbfOf)).toEqual([`${now + 1}`, `${now + 2}`]);
  });

  test("nothing by a suggestion while somebody types", async () => {
    const client = await machine.connect();
    expect(await client.complete("brief_me_on", "person", "Al")).toEqual([]);
    expect(await machine.opened()).toEqual([]);

    const signedIn = await machine.connectAs("AdeleV");
    expect(await signedIn.complete("brief_me_on", "person", "Al")).toContain("Alex Wilber");
  });
});

describe("a person who", () => {
  test("does not answer: the call says what to do, and the sign-in stays open for the next one", async () => {
    const client = await machine.connect(undefined, { args: ["--sign-in-wait", "1"] });

    const result = await client.call("get_my_profile");
    const [url] = await machine.opened();
    expect(result).toMatchObject({
      isError: true,
      content: [
        {
          text: `Nobody has signed in yet. To sign in, use the page in your browser, or open ${url}. Then call this again.`,
        },
      ],
      _meta: { [ERROR]: { code: "interaction_required", signInUrl: url } },
    });
    expect(client.stderr()).toContain(`To sign in, use the page in your browser, or open ${url}\n`);

    await machine.signIn({ as: "AdeleV" });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(await machine.opened()).toHaveLength(1);
  });

  test.each(["the browser", "the client"])(
    "signs in through %s when nobody waits any more, and out again: the next call asks",
    async (opener) => {
      const urls: string[] = [];
      const client = await machine.connect(undefined, {
        args: ["--sign-in-wait", "1"],
        ...(opener === "the client" && {
          async elicit({ url = "" }) {
            urls.push(url);
            return { action: "accept" };
          },
        }),
      });
      const pages = async () => (opener === "the client" ? urls : machine.opened());
      expect(await client.call("get_my_profile")).toMatchObject({ isError: true });
      const person = new Browser();
      await answerSignIn(person, await person.open((await pages())[0] ?? ""), { as: "AdeleV" });
      await eventually(() => machine.tokenFile().catch(() => ""), "the sign-in was kept");
      expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
      expect(await pages()).toHaveLength(1);

      expect(await machine.run(["logout"]).finished).toMatchObject({ code: 0 });
      expect(await client.call("get_my_profile")).toMatchObject({
        isError: true,
        content: [{ text: expect.stringContaining("Nobody has signed in yet.") }],
      });
      expect(await pages()).toHaveLength(2);
    },
  );

  test("is needed by several calls at once: they share one sign-in", async () => {
    const client = await machine.connect();
    const calls = ["get_my_profile", "list_events", "get_my_profile"].map((tool) => client.call(tool));
    await machine.signIn({ as: "AdeleV" });

    expect((await Promise.all(calls)).map(({ isError }) => isError === true)).toEqual([false, false, false]);
    expect(await machine.opened()).toHaveLength(1);
    await eventually(() => client.stderr().match(/"audit":"tool_call"/g)?.length === 3, "the calls were audited");
    expect(client.stderr().match(/"audit":"sign_in".*"decision":"\w+"/g)).toEqual([
      expect.stringContaining('"decision":"allowed"'),
    ]);
  });

  test("takes another's place: a call in that moment is the new one's", async () => {
    await (await machine.connectAs("AdeleV", { environment: TWO_HOURS_AGO })).close();
    const client = await machine.connect(undefined, { environment: SLOW_DISK });
    machine.cloud.entra.traffic.fail(INVALID_GRANT, { path: /\/token/, times: 1 });
    const asking = client.call("get_my_profile");
    await machine.signIn({ as: "AlexW" }, 1);
    await eventually(
      async () => (await readdir(machine.dataFolder)).some((name) => /\.tokens\../.test(name)),
      "the new sign-in was being written",
    );
    const meanwhile = client.call("get_my_profile");

    for (const call of [meanwhile, asking]) {
      expect((await call).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    }
  });

  test("refuses: the call says so, and only the next one asks again", async () => {
    const client = await machine.connect();
    const refused = client.call("get_my_profile");
    const page = await machine.signIn({ as: "AdeleV", consent: false });

    expect(page.html).toContain("You are not signed in.");
    expect(await refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^The sign-in was refused.*Ask the person before you call this again/) }],
    });
    expect(await machine.opened()).toHaveLength(1);

    const again = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV" }, 1);
    expect((await again).isError).toBeFalsy();
  });

  test("is somebody else than --account: they are not signed in", async () => {
    const client = await machine.connect(undefined, { args: ["--account", "AlexW@contoso.com"] });
    const call = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV" });

    expect(await call).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("not the one named in the flag --account") }],
    });
    expect(new URL((await machine.opened())[0] ?? "").searchParams.get("login_hint")).toBe("AlexW@contoso.com");
    const { stdout, code } = await machine.run(["whoami"]).finished;
    expect([stdout.split("\n")[0], code]).toEqual(["Nobody is signed in.", 1]);
  });

  test("sits at no screen: they get a code for another device", async () => {
    const client = await machine.connect(undefined, { environment: { BROWSER: "", DISPLAY: "" } });
    const call = client.call("get_my_profile");
    await enterCode(client, { as: "AdeleV" });

    expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("enters the code and refuses: the call says so", async () => {
    const client = await machine.connect(undefined, { args: ["--sign-in", "device-code"] });
    const call = client.call("get_my_profile");
    await enterCode(client, { as: "AdeleV", consent: false });

    expect(await call).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^The sign-in was refused.*Ask the person before you call this again/) }],
    });
  });

  test("lets the code expire: the call says so, and the next one shows another", async () => {
    const client = await machine.connect(undefined, { args: ["--sign-in", "device-code"] });
    machine.cloud.entra.traffic.fail(
      { kind: "status", status: 400, body: { error: "expired_token", error_description: "AADSTS70020: c4n4ry" } },
      { path: /\/token/, times: 1 },
    );

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: "Nobody entered the code in time. Call this again for a new one." }],
      _meta: { [ERROR]: { code: "interaction_required" } },
    });
    const call = client.call("get_my_profile");
    await enterCode(client, { as: "AdeleV" }, 1);
    expect((await call).isError).toBeFalsy();
  });

  test.each(["browser", "device-code"])(
    "never answers, by %s: the call ends, and the next one asks anew",
    async (how) => {
      const client = await machine.connect(undefined, { args: ["--sign-in", how], environment: TEN_MINUTES_PASS });
      const asked = () => client.stderr().match(/To sign in, .*/g)?.length ?? 0;

      expect(await client.call("get_my_profile")).toMatchObject({
        isError: true,
        content: [{ text: "Nobody signed in while the page was open. Call this again to begin anew." }],
        _meta: { [ERROR]: { code: "interaction_required" } },
      });
      expect(asked()).toBe(1);
      await client.call("get_my_profile");
      expect(asked()).toBe(2);
    },
  );

  /** Enters the code that is shown after `seen` others, and goes through the pages that follow. */
  async function enterCode(client: LocalClient, choices: SignInChoices, seen = 0): Promise<void> {
    const shown = /To sign in, open (\S+) in any browser and enter the code (\w+)/g;
    const [, url = "", code = ""] = await eventually(
      () => [...client.stderr().matchAll(shown)][seen],
      "a code was shown",
    ).then((match) => match ?? []);
    const person = new Browser();
    const { forms } = await person.open(url);
    const [form] = forms;
    if (!form) throw new Error("The page has no form.");
    await answerSignIn(person, await person.submit(form, { fields: { user_code: code } }), choices);
  }
});

describe("Entra ID", () => {
  test("takes the refresh token no more: the browser opens", async () => {
    await (await machine.connectAs("AdeleV", { environment: TWO_HOURS_AGO })).close();
    const client = await machine.connect();
    machine.cloud.entra.traffic.fail(INVALID_GRANT, { path: /\/token/, times: 1 });
    const call = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV" }, 1);

    expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("out of reach: the call says so, and works when it is back", async () => {
    machine.cloud.entra.traffic.fail({ kind: "status", status: 503 }, { path: /openid-configuration/ });
    const client = await machine.connect();

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: "Sign-in to Microsoft failed for now. Try again in a minute." }],
      _meta: { [ERROR]: { code: "unavailable" } },
    });
    machine.cloud.entra.traffic.recover();
    const call = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV" });
    expect((await call).isError).toBeFalsy();
  });

  test.each([
    ["discovery", /openid-configuration/],
    ["tokens", /\/token/],
  ])("does not answer a request for %s: the call does, in bounded time", async (_what, path) => {
    await machine.connectAs("AdeleV", { environment: TWO_HOURS_AGO });
    const client = await machine.connect();
    machine.cloud.entra.traffic.fail({ kind: "hang" }, { path });

    const started = performance.now();
    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: "Sign-in to Microsoft failed for now. Try again in a minute." }],
    });
    expect(performance.now() - started).toBeLessThan(12_000);
    machine.cloud.entra.traffic.recover();
    expect((await client.call("get_my_profile")).isError).toBeFalsy();
    expect(await machine.opened()).toHaveLength(1);
  });

  test("does not know the client id: the call says what to check", async () => {
    const client = await machine.connect(undefined, {
      args: ["--client-id", "00000000-0000-4000-8000-000000000000", "--sign-in", "device-code"],
    });

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("Check --client-id and --tenant") }],
      _meta: { [ERROR]: { code: "misconfigured" } },
    });
  });
});

describe("the commands", () => {
  test("login signs in, whoami says who, login again switches, logout forgets", async () => {
    const first = machine.run(["login"]);
    await machine.signIn({ as: "AdeleV" });
    expect(await first.finished).toMatchObject({ code: 0, stdout: "Signed in as AdeleV@contoso.com\n" });

    const client = await machine.connect();
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });

    const second = machine.run(["login"]);
    await machine.signIn({ as: "AlexW" }, 1);
    expect(await second.finished).toMatchObject({ code: 0, stdout: "Signed in as AlexW@contoso.com\n" });
    expect((await machine.run(["whoami"]).finished).stdout.split("\n")[0]).toBe(
      `AlexW@contoso.com (tenant ${CONTOSO.tenantId})`,
    );
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });

    expect(await machine.run(["logout"]).finished).toMatchObject({ code: 0 });
    expect((await machine.run(["whoami"]).finished).code).toBe(1);
    const call = client.call("get_my_profile");
    await machine.signIn({ as: "AdeleV" }, 2);
    expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("people who are named each keep their own sign-in", async () => {
    for (const [seen, alias] of ["AdeleV", "AlexW"].entries()) {
      const login = machine.run(["login", "--account", `${alias}@contoso.com`]);
      await machine.signIn({ as: alias }, seen);
      expect(await login.finished).toMatchObject({ code: 0 });
    }
    for (const alias of ["AdeleV", "AlexW"]) {
      const client = await machine.connect(undefined, { args: ["--account", `${alias}@contoso.com`] });
      expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: `${alias}@contoso.com` });
    }
    expect(await (await machine.connect()).call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("Name one in the flag --account") }],
    });

    await machine.run(["logout", "--account", "AlexW@contoso.com"]).finished;
    const rest = await machine.connect();
    expect((await rest.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("one of several people whose sign-in ended signs in again, and the others stay signed in", async () => {
    const alex = { args: ["--account", "AlexW@contoso.com"] };
    const adele = { args: ["--account", "AdeleV@contoso.com"] };
    await (await machine.connectAs("AdeleV", adele)).close();
    await (await machine.connectAs("AlexW", { ...alex, environment: TWO_HOURS_AGO })).close();
    machine.cloud.entra.traffic.fail(INVALID_GRANT, { path: /\/token/, times: 1 });
    await machine.connectAs("AlexW", alex);

    const other = await machine.connect(undefined, adele);
    expect((await other.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(await machine.opened()).toHaveLength(3);
  });

  test.each([
    [["dance"], "The commands are login, logout and whoami; without one the server runs. See --help."],
    [["--dance"], "Unknown option '--dance'"],
    [["--tenant", "a b"], "--tenant (AZURE_TENANT_ID) must be a tenant's id or domain name"],
    [["--toolsets", "dance"], "--toolsets (TOOLSETS) must be among:"],
  ])("%j is refused in one line that says what is wrong", async (args, sentence) => {
    const { code, stdout, stderr } = await machine.run(args).finished;
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toContain(sentence);
  });

  test("--help shows every flag", async () => {
    const { code, stdout } = await machine.run(["--help"]).finished;
    expect(code).toBe(0);
    expect(stdout.match(/--[a-z-]+/g)).toEqual(expect.arrayContaining(["--tenant", "--client-id", "--allow-writes"]));
  });
});
