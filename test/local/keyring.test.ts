import { readdir, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { eventually } from "../support/eventually.ts";
import { describeWithKeyring, type Keyring, startKeyring } from "./keyring.ts";
import { type Machine, STDIO, startMachine } from "./local-server.ts";
import { testsWhileAServerRuns } from "./while-running.ts";

// Each of these tests starts several processes.
vi.setConfig({ testTimeout: 40_000 });

describeWithKeyring("with the Secret Service", () => {
  let keyring: Keyring;
  let machine: Machine;
  beforeAll(async () => {
    keyring = await startKeyring();
    machine = await startMachine({ ...keyring.environment, LOCAL_CACHE_WITHOUT_KEYRING: "" });
  });
  afterEach(async () => {
    await machine.run(["logout"]).finished;
    await machine.reset();
  });
  afterAll(async () => {
    await machine.close();
    await keyring.close();
  });

  test("the key is in the keyring, the tokens are in a file, and the next server finds both", async () => {
    const first = await machine.connectAs("AdeleV");
    expect(first.stderr()).not.toContain("keyring");
    const names = (await readdir(machine.dataFolder)).filter((name) => !name.endsWith(".lock"));
    expect(names).toEqual([expect.stringMatching(/^[\da-f]{16}\.keyring\.tokens$/)]);

    const second = await machine.connect();
    expect((await second.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(await machine.opened()).toHaveLength(1);
    expect((await machine.run(["whoami"]).finished).stdout).toMatch(/under a key in the system's keyring\n$/);
  });

  test("two servers that start at once make one key", async () => {
    const clients = await Promise.all([machine.connect(), machine.connect()]);
    const calls = clients.map((client) => client.call("get_my_profile"));
    await machine.signIn({ as: "AdeleV" }, 0);
    await machine.signIn({ as: "AdeleV" }, 1);

    for (const call of calls) expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    const third = await machine.connect();
    expect((await third.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
  });

  test("the file is of no use without the key: logout forgets both", async () => {
    await (await machine.connectAs("AdeleV")).close();
    const file = await machine.tokenFile();
    const stolen = await readFile(file);
    await machine.run(["logout"]).finished;
    await writeFile(file, stolen, { mode: 0o600 });

    expect(await (await machine.connect()).call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: expect.stringContaining("is damaged, or was written with another key") }],
    });
  });

  describe("while a server runs", () => {
    testsWhileAServerRuns(() => machine);
  });

  test("a folder that cannot be written is named, and is not taken for a missing keyring", async () => {
    const environment = { XDG_DATA_HOME: STDIO };
    const client = await machine.connect(undefined, { environment });

    expect(await client.call("get_my_profile")).toMatchObject({
      isError: true,
      content: [{ text: `The folder of the sign-in, ${STDIO}/azure-graph-mcp, cannot be written (ENOTDIR).` }],
      _meta: { "azure-graph-mcp/error": { code: "misconfigured" } },
    });
    expect(client.stderr()).not.toContain("No keyring");
  });

  test.each([
    ["does not answer", () => keyring.pause(), () => keyring.resume()],
    ["is locked", () => keyring.lock(), () => keyring.unlock()],
  ])("a keyring that %s costs nobody the sign-in: the call works when it is back", async (_what, fail, recover) => {
    await (await machine.connectAs("AdeleV")).close();
    await fail();
    const client = await machine.connect();
    const refused = await client.call("get_my_profile");
    await recover();

    expect(refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^The system's keyring is locked or does not answer.*Unlock it/) }],
      _meta: { "azure-graph-mcp/error": { code: "unavailable" } },
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(await machine.opened()).toHaveLength(1);
    expect(client.stderr()).not.toContain("No keyring");
  });

  test("nobody holds the lock while a keyring that does not answer is asked for the key", async () => {
    const client = await machine.connectAs("AdeleV");
    await machine.run(["logout"]).finished;
    const call = client.call("get_my_profile");
    await eventually(async () => (await machine.opened()).length === 2, "the browser was opened");
    await keyring.pause();
    await machine.signIn({ as: "AdeleV" }, 1);
    await sleep(1000);
    const names = await readdir(machine.dataFolder);
    await keyring.resume();

    expect((await call).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    expect(names).toEqual([]);
  });

  test("a session without a bus signs in beside it, and neither spoils the other's file", async () => {
    await (await machine.connectAs("AdeleV")).close();
    const overSsh = { environment: { DBUS_SESSION_BUS_ADDRESS: "", LOCAL_CACHE_WITHOUT_KEYRING: "true" } };
    await (await machine.connectAs("AlexW", overSsh)).close();

    await keyring.lock();
    const client = await machine.connect();
    const refused = await client.call("get_my_profile");
    await keyring.unlock();
    expect(refused).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/^The system's keyring is locked or does not answer/) }],
    });
    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AdeleV@contoso.com" });
    const again = await machine.connect(undefined, overSsh);
    expect((await again.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    expect(await machine.opened()).toHaveLength(2);

    expect(await machine.run(["logout"]).finished).toMatchObject({ code: 0 });
    expect(await readdir(machine.dataFolder)).toEqual([]);
  });
});
