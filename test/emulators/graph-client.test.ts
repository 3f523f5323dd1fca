import {
  BatchRequestContent,
  BatchResponseContent,
  Client,
  type Context,
  GraphError,
  type Middleware,
  type PageCollection,
  PageIterator,
} from "@microsoft/microsoft-graph-client";
import type { MailboxSettings, Person, User } from "@microsoft/microsoft-graph-types";
import { afterAll, beforeAll, expect, test } from "vitest";
import { EVENTUAL, type GraphFixture, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
let client: Client;
beforeAll(async () => {
  fixture = await startGraphFixture();
  const token = await fixture.sign();
  const bearer: Middleware = {
    async execute(context: Context) {
      const headers = { ...(context.options?.headers as Record<string, string>), Authorization: `Bearer ${token}` };
      context.response = await fetch(context.request, { ...context.options, headers });
    },
  };
  client = Client.initWithMiddleware({ baseUrl: `${fixture.graph.origin}/`, middleware: [bearer] });
});
afterAll(() => fixture.close());

test("Microsoft's client selects", async () => {
  const user = (await client.api("/me").select(["displayName", "jobTitle"]).get()) as User;
  expect(user).toMatchObject({ displayName: "Adele Vance", jobTitle: "Retail Manager" });
  expect(user).not.toHaveProperty("mail");
  const { timeZone } = (await client.api("/me/mailboxSettings").get()) as MailboxSettings;
  expect(timeZone).toBe("Pacific Standard Time");
});

test("Microsoft's PageIterator visits every user through the nextLinks", async () => {
  const first = (await client.api("/users").select("displayName").top(15).get()) as PageCollection;
  const seen: (string | null | undefined)[] = [];
  const iterator = new PageIterator(client, first, (user: User) => {
    seen.push(user.displayName);
    return true;
  });
  await iterator.iterate();
  expect(seen).toHaveLength(37);
  expect(new Set(seen).size).toBe(37);
});

test("Microsoft's client searches the directory and follows the nextLink with the header", async () => {
  const query = client.api("/users").search('"displayName:a" OR "mail:b"').count().top(4).headers(EVENTUAL);
  const first = (await query.get()) as PageCollection;
  const second = (await client
    .api(first["@odata.nextLink"] ?? "")
    .headers(EVENTUAL)
    .get()) as PageCollection;
  const found = [...first.value, ...second.value].map(({ displayName }: User) => displayName);
  expect(found).toEqual([
    "Alex Wilber",
    "Alex Darrow",
    "Ben Walters",
    "Adele Vance",
    "Adèle Dubois",
    "Grady Archie",
    "Allan Deyoung",
  ]);
  expect(second["@odata.nextLink"]).toBeUndefined();
});

test("Microsoft's client searches relevant people", async () => {
  const { value } = (await client.api("/me/people").search('"lynne"').get()) as { value: Person[] };
  expect(value.map(({ scoredEmailAddresses }) => scoredEmailAddresses?.[0]?.address)).toEqual(["LynneR@contoso.com"]);
});

test("G1: Microsoft's client makes a GraphError of an error, with code, ids and headers", async () => {
  const error = (await client
    .api("/users/nobody@contoso.com")
    .get()
    .catch((error: unknown) => error)) as GraphError;
  expect(error).toBeInstanceOf(GraphError);
  expect(error.statusCode).toBe(404);
  expect(error.code).toBe("Request_ResourceNotFound");
  expect(error.requestId).toBe(error.headers?.get("request-id"));
  expect(JSON.parse(String(error.body))).toMatchObject({ code: "Request_ResourceNotFound" });
});

test("G48: Microsoft's batch classes send and read a batch", async () => {
  const content = new BatchRequestContent([
    { id: "1", request: new Request(`${fixture.graph.origin}/me?$select=displayName`) },
    { id: "2", request: new Request(`${fixture.graph.origin}/me/manager`) },
  ]);
  const answer = new BatchResponseContent(await client.api("/$batch").post(await content.getContent()));
  expect(await answer.getResponseById("1").json()).toMatchObject({ displayName: "Adele Vance" });
  expect(answer.getResponseById("2").status).toBe(403);
});
