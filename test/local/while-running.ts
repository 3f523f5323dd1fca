import { expect, test } from "vitest";
import { type Machine, signInAnew, signInThrough } from "./local-server.ts";

/** What people may do elsewhere while a server runs, wherever the key is kept; the machine has to be new for each test. */
export function testsWhileAServerRuns(machine: () => Machine): void {
  test("logout and login in a terminal leave it working, as the one who signed in", async () => {
    const client = await machine().connectAs("AdeleV");
    await signInAnew(machine(), "AlexW", 1);

    expect((await client.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    expect(await machine().opened()).toHaveLength(2);
  });

  test("logout, and a sign-in through it, leave a file that the next server opens", async () => {
    const client = await machine().connectAs("AdeleV");
    await machine().run(["logout"]).finished;
    await signInThrough(machine(), client, "AlexW", 1);

    const next = await machine().connect();
    expect((await next.call("get_my_profile")).structuredContent).toMatchObject({ upn: "AlexW@contoso.com" });
    expect(await machine().opened()).toHaveLength(2);
  });
}
