import { randomUUID } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { takeLock } from "../../src/local/file-lock.ts";
import { ANOTHER_USER, type Machine, startMachine, TWO_HOURS_AGO } from "./local-server.ts";
import { testsWhileAServerRuns } from "./while-running.ts";

// Each of these tests starts several processes.
vi.setConfig({ testTimeout: 40_000 });

let machine: Machine;
beforeAll(async () => {
  machine = await startMachine();
});
afterEach(() => machine.reset());
afterAll(() => machine.close());

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe("the file with tokens", () => {
  test("can be read by its owner only, and holds nothing that can be read", async () => {
    await machine.connectAs("AdeleV");
    const file = await machine.tokenFile();

    expect([await modeOf(file), await modeOf(machine.dataFolder)]).toEqual(["600", "700"]);
    const content = (await readFile(file)).toString("latin1");
    expect(content).not.toMatch(/AccessToken|AdeleV|eyJ|secret/);
    const left = (await readdir(machine.dataFolder)).filter((name) => !/\.(?:tokens|key)$/.test(name));
    expect(left).toEqual([]);
  });

  test.each([
    [
      "that others can read",
      (file: string) => chmod(file, 0o644),
      "belongs to somebody else, or can be read by others",
    ],
    [
      "that others can write",
      (file: string) => chmod(file, 0o620),
      "belongs to somebody else, or can be read by others",
    ],
    ["that was changed", changeLastByte, "is damaged, or was written with another key"],
    ["that was cut short", (file: string) => truncateTo(file, 60), "is damaged, or was written with another key"],
    ["that is empty", (file: string) => truncateTo(file, 0), "is damaged, or was written with another key"],
    ["that is a link to another", linkElsewhere, "cannot be opened"],
  ])("%s is not used, and stays as it is", async (_what, damage, reason) => {
    await (await machine.connectAs("AdeleV")).close();
    const file = await machine.tokenFile();
    await damage(file);
    const before = await readFile(file);

    const client = await machine.connect();
    const text = `The file with the sign-in, ${file}, ${reason}. It is not used. Run "azure-graph-mcp logout", which deletes it, and sign in again: nothing else is lost.`;
    expect(await client.call("get_my_profile")).toMatchObject({ isError: true, content: [{ text }] });
    expect(await readFile(file)).toEqual(before);
    expect(await machine.opened()).toHaveLength(1);
  });

  test.each([[["logout"]], [["logout", "--account", "AdeleV@contoso.com"]]])(
    "that is damaged stands in nobody's way after %j",
    async (logout) => {
      await (await machine.connectAs("AdeleV")).close();
      await truncateTo(await machine.tokenFile(), 60);
      const whoami = await machine.run(["whoami"]).finished;
      expect(whoami).toMatchObject({ code: 1, stdout: "" });
      expect(whoami.stderr).toContain('Run "azure-graph-mcp logout"');

      expect(await machine.run(logout).finished).toMatchObject({ code: 0 });
      const call = (await machine.connect()).call("get_my_profile");
      await machine.signIn({ as: "AdeleV" }, 1);
      expect((await call).isError).toBeFalsy();
    },
  );

  test("of another user is not used", async () => {
    await (await machine.connectAs("AdeleV")).close();
    const client = await machine.connect(undefined, { environment: ANOTHER_USER });

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [
        { text: expect.stringContaining("belongs to somebody else, or can be read by others. It is not used.") },
      ],
    });
  });

  test("takes along, when it is deleted, what a process that was killed had begun to write", async () => {
    await (await machine.connectAs("AdeleV")).close();
    const file = await machine.tokenFile();
    const begun = [file, file.replace(/tokens$/, "key")].map((path) => `${path}.${randomUUID()}`);
    await Promise.all(begun.map((path) => writeFile(path, "begun", { mode: 0o600 })));

    expect(await machine.run(["logout"]).finished).toMatchObject({ code: 0 });
    expect(await readdir(machine.dataFolder)).toEqual([]);
  });

  test("of another registration does not open under this one's name, not even with its key", async () => {
    await (await machine.connectAs("AdeleV")).close();
    const file = await machine.tokenFile();
    const other = "7d3a7f0e-9b64-4c1d-8f6e-0c5b1d2e3f40";
    await (await machine.connectAs("AlexW", { args: ["--client-id", other] })).close();
    const names = (await readdir(machine.dataFolder)).filter((name) => name.endsWith(".tokens"));
    const foreign = names.map((name) => join(machine.dataFolder, name)).find((path) => path !== file) ?? "";
    await rename(foreign, file);
    await rename(foreign.replace(/tokens$/, "key"), file.replace(/tokens$/, "key"));

    expect(await (await machine.connect()).call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("is damaged, or was written with another key") }],
    });
  });

  test("is shared by servers that run at once: both renew expired tokens, and neither loses the sign-in", async () => {
    await (await machine.connectAs("AdeleV", { environment: TWO_HOURS_AGO })).close();
    const servers = await Promise.all([machine.connect(), machine.connect()]);

    const results = await Promise.all(
      servers.flatMap((client) => ["get_my_profile", "list_events", "get_my_profile"].map((tool) => client.call(tool))),
    );
    expect(results.map(({ isError, content }) => (isError ? content[0]?.text : "fine"))).toEqual(Array(6).fill("fine"));
    expect(await machine.opened()).toHaveLength(1);
    expect((await machine.run(["whoami"]).finished).stdout).toMatch(/^AdeleV@contoso.com /);
  });
});

describe("while a server runs", () => {
  testsWhileAServerRuns(() => machine);
});

test("without a keyring, and without leave to use a file, the sign-in is kept in memory, which is said once", async () => {
  const memoryOnly = { LOCAL_CACHE_WITHOUT_KEYRING: "" };
  const client = await machine.connectAs("AdeleV", { environment: memoryOnly });

  expect((await client.call("get_my_profile")).isError).toBeFalsy();
  expect(client.stderr().match(/No keyring can be used: the sign-in is kept in memory/g)).toHaveLength(1);
  expect(await readdir(machine.dataFolder).catch(() => [])).toEqual([]);
  const login = await machine.run(["login"], memoryOnly).finished;
  expect(login).toMatchObject({ code: 1, stdout: "" });
  expect(login.stderr).toContain("--cache-without-keyring keeps it in a file");
});

describe("the lock between processes", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "azure-graph-mcp-lock-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("lets one in at a time", async () => {
    const path = join(folder, "one.lock");
    const order: string[] = [];
    const work = async (name: string) => {
      const release = await takeLock(path);
      order.push(`${name} in`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      order.push(`${name} out`);
      await release();
    };
    await Promise.all(["a", "b", "c"].map(work));

    expect(order).toHaveLength(6);
    for (const at of [0, 2, 4]) expect(order[at + 1]).toBe(order[at]?.replace("in", "out"));
  });

  test("of a process that died is taken over", async () => {
    const path = join(folder, "stale.lock");
    await writeFile(path, "");
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(path, longAgo, longAgo);

    const release = await takeLock(path);
    await release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("that another process took over stays that one's when the first is done", async () => {
    const path = join(folder, "taken.lock");
    const first = await takeLock(path);
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(path, longAgo, longAgo);
    const second = await takeLock(path);

    await first();
    expect(await readdir(folder)).toEqual(["taken.lock"]);
    await second();
    expect(await readdir(folder)).toEqual([]);
  });
});

async function changeLastByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8((bytes.at(-1) ?? 0) ^ 1, bytes.length - 1);
  await writeFile(file, bytes);
}

async function truncateTo(file: string, length: number): Promise<void> {
  await writeFile(file, (await readFile(file)).subarray(0, length));
}

async function linkElsewhere(file: string): Promise<void> {
  await rename(file, `${file}.moved`);
  await symlink(`${file}.moved`, file);
}
