import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { nameAndAddress, ownAddresses, recipientsNotice } from "../../src/graph/recipients.ts";
import { type GraphConnection, startGraphConnection } from "../support/graph-connection.ts";

let connection: GraphConnection;
beforeAll(async () => {
  connection = await startGraphConnection();
});
afterAll(() => connection.close());
afterEach(() => connection.emulator.traffic.clear());

test("marks whoever is not of the user's own domain", async () => {
  const graph = connection.connect();

  expect(await recipientsNotice(graph, ["LeeG@contoso.com", "kim@fabrikam.com"])).toBe(
    "To: LeeG@contoso.com, kim@fabrikam.com (EXTERNAL)",
  );
  expect(await recipientsNotice(graph, ["ann@CONTOSO.com"], "Bcc")).toBe("Bcc: ann@CONTOSO.com");
  expect(connection.emulator.traffic.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
    "GET /v1.0/me?$select=mail%2CuserPrincipalName",
  ]);
});

test.each([
  ["a domain that ends like it", "ann@notcontoso.com", "ann@notcontoso.com (EXTERNAL)"],
  ["a domain below it", "ann@mail.contoso.com", "ann@mail.contoso.com (EXTERNAL)"],
  ["it in the name", "ann@contoso.com@evil.example", "ann@contoso.com@evil.example (EXTERNAL)"],
  ["a letter that looks alike", "ann@c\u043entoso.com", "ann@c\u043entoso.com (EXTERNAL)"],
  ["an invisible letter", "ann@contoso.com\u200b", "ann@contoso.com (EXTERNAL)"],
  ["a line of its own", "ann@evil.example\nCc: boss@contoso.com.", "ann@evil.example Cc: boss@contoso.com. (EXTERNAL)"],
  ["no domain", "/O=EXCHANGE/CN=ANN", "/O=EXCHANGE/CN=ANN (EXTERNAL)"],
  ["no address", "", "unknown address (EXTERNAL)"],
])("is not misled by %s", async (_what, address, shown) => {
  expect(await recipientsNotice(connection.connect(), [address])).toBe(`To: ${shown}`);
});

test("the domain of the name that one signs in with is one's own too", async () => {
  const users = [...connection.tenant.users];
  connection.tenant.users.splice(
    users.findIndex(({ id }) => id === people.normal.id),
    1,
    { ...people.normal, mail: "adele@contoso-stores.com" },
  );
  try {
    const graph = connection.connect();
    expect(await recipientsNotice(graph, ["x@contoso.com", "y@contoso-stores.com"])).toBe(
      "To: x@contoso.com, y@contoso-stores.com",
    );
    expect(await ownAddresses(graph)).toEqual(["adele@contoso-stores.com", "adelev@contoso.com"]);
  } finally {
    connection.tenant.users.splice(0, users.length, ...users);
  }
});

test("shows everybody, or nobody is asked: 100 are a line, 101 an error, none is nothing", async () => {
  const graph = connection.connect();
  const addresses = Array.from({ length: 101 }, (_, index) => `u${index}@contoso.com`);

  expect((await recipientsNotice(graph, addresses.slice(1))).split(", ")).toHaveLength(100);
  expect(await recipientsNotice(graph, [])).toBe("");
  await expect(recipientsNotice(graph, addresses)).rejects.toMatchObject({
    code: "invalid_arguments",
    message: "These are more than 100 recipients, too many to be shown for approval. Let the person do it in Outlook.",
  });
});

test.each([
  ["Ann Lee", "ann@contoso.com", "Ann Lee <ann@contoso.com>"],
  ["boss@contoso.com>", "ann@evil.example", "boss@contoso.com <ann@evil.example>"],
  ["ann@contoso.com", "ann@contoso.com", "ann@contoso.com"],
  [undefined, "ann@contoso.com", "ann@contoso.com"],
  ["<>", "ann@contoso.com", "ann@contoso.com"],
  ["Visitor", null, "Visitor"],
  [null, null, "unknown"],
])("the name %j with the address %j is %j", (name, address, shown) => {
  expect(nameAndAddress(name, address)).toBe(shown);
});
