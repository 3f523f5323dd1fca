import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { defaultSwitches } from "../../emulators/graph/switches.ts";
import { failureOf } from "../support/failures.ts";
import type { McpClient } from "../support/mcp-clients.ts";
import { connectAs, watch } from "../support/outside-traffic.ts";
import { type Stack, startStack } from "../support/stack.ts";

const ME =
  "GET /v1.0/me?$select=id%2CdisplayName%2CuserPrincipalName%2Cmail%2CjobTitle%2Cdepartment%2CofficeLocation%2CpreferredLanguage";
const BATCH = "POST /v1.0/$batch";

const ADELE = {
  id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
  name: "Adele Vance",
  upn: "AdeleV@contoso.com",
  email: "AdeleV@contoso.com",
  job_title: "Retail Manager",
  department: "Retail",
  office: "18/2111",
  language: "en-US",
};

let stack: Stack;
let adele: McpClient;
beforeAll(async () => {
  stack = await startStack();
  adele = await connectAs(stack, "AdeleV");
  await adele.call("get_my_profile");
});
afterAll(async () => {
  await adele.close();
  await stack.close();
});
afterEach(() => {
  stack.graph.traffic.recover();
  Object.assign(stack.graph.switches, defaultSwitches);
});

/** What somebody else gets. */
async function callAs(user: string, args: Record<string, unknown>) {
  const client = await connectAs(stack, user);
  const result = await client.call("get_my_profile", args);
  await client.close();
  return result;
}

describe("get_my_profile", () => {
  test("returns who is signed in with one request to Graph and no token traffic", async () => {
    const { result, traffic } = await watch(stack, () => adele.call("get_my_profile"));

    expect(result.structuredContent).toEqual(ADELE);
    expect(JSON.parse(result.content[0]?.text ?? "")).toEqual(ADELE);
    expect(traffic).toEqual({ graph: [ME], identity: [] });
  });

  test("with the mailbox returns both, still with one request to Graph", async () => {
    const { result, traffic } = await watch(stack, () => adele.call("get_my_profile", { include_mailbox: true }));

    expect(result.structuredContent).toEqual({
      ...ADELE,
      mailbox: {
        timezone: "Pacific Standard Time",
        working_days: ["monday", "tuesday", "wednesday", "thursday", "friday"],
        working_hours: "08:00-17:00",
      },
    });
    expect(traffic).toEqual({ graph: [BATCH], identity: [] });
  });

  test("passes on a time zone that is no zone's name", async () => {
    expect(await callAs("LynneR", { include_mailbox: true })).toMatchObject({
      structuredContent: { name: "Lynne Robbins", mailbox: { timezone: "Customized Time Zone" } },
    });
  });

  test("returns a guest, whose facts are mostly missing, without a mailbox", async () => {
    expect((await callAs("sam", { include_mailbox: true })).structuredContent).toEqual({
      id: "ec63c778-24e1-4240-bea3-d12a167d5232",
      name: "Sam Jenkins",
      upn: "sam_fabrikam.com#EXT#@contoso.com",
      email: "sam@fabrikam.com",
      job_title: null,
      department: null,
      office: null,
      language: "en-US",
      mailbox: null,
    });
  });

  test("returns names in any script", async () => {
    expect((await callAs("WeiZ", {})).structuredContent).toMatchObject({ name: "张伟", language: "zh-CN" });
  });

  test("refuses arguments that it does not have, before Graph is asked", async () => {
    const { result, traffic } = await watch(stack, () => adele.call("get_my_profile", { user: "LeeG@contoso.com" }));

    expect(result).toMatchObject(
      failureOf(
        "invalid_arguments",
        'The arguments of get_my_profile are not valid. arguments: Unrecognized key: "user"',
      ),
    );
    expect(traffic).toEqual({ graph: [], identity: [] });
  });

  test("fails as a whole when the mailbox that was asked for is being throttled", async () => {
    stack.graph.switches["graph.throttledBatchItems"] = "/me/mailboxSettings";

    expect(await adele.call("get_my_profile", { include_mailbox: true })).toMatchObject({
      ...failureOf("throttled", "Microsoft Graph is limiting requests. Try again in 1 seconds."),
      _meta: { "azure-graph-mcp/error": { code: "throttled", retryAfterSeconds: 1 } },
    });
  });

  test("says that Graph fails when it answers garbage, and works again afterwards", async () => {
    stack.graph.traffic.fail({ kind: "garbage" });
    expect(await adele.call("get_my_profile")).toMatchObject(
      failureOf("unavailable", "Microsoft Graph could not be reached or failed. Try again in a minute."),
    );
    stack.graph.traffic.recover();

    expect((await adele.call("get_my_profile")).structuredContent).toEqual(ADELE);
  });
});
