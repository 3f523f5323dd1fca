import { afterAll, beforeAll, expect, test } from "vitest";
import { people } from "../../emulators/contoso/users.ts";
import { type GraphFixture, names, problem, startGraphFixture } from "./graph-fixture.ts";

let fixture: GraphFixture;
beforeAll(async () => {
  fixture = await startGraphFixture();
});
afterAll(() => fixture.close());

const oid = (alias: string) => fixture.tenant.users.find(({ mail }) => mail === `${alias}@contoso.com`)?.id;

test("relevant people come in the shape of Graph's person", async () => {
  const { status, body } = await fixture.get("/me/people?$top=1");
  expect(status).toBe(200);
  expect(body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#users('87d349ed-44d7-43e1-9a83-5f2406dee5bd')/people`,
    "@odata.nextLink": `${fixture.graph.origin}/v1.0/me/people?$top=1&$skip=1`,
    value: [
      {
        id: "b3d5f607-1a29-4e8c-94b7-c0e8d2f61a09",
        displayName: "Adèle Dubois",
        givenName: "Adèle",
        surname: "Dubois",
        birthday: "",
        personNotes: "",
        isFavorite: false,
        jobTitle: "Store Manager",
        companyName: null,
        yomiCompany: "",
        department: "Retail",
        officeLocation: "32/1003",
        profession: "",
        userPrincipalName: "AdeleD@contoso.com",
        imAddress: "sip:AdeleD@contoso.com",
        scoredEmailAddresses: [
          { address: "AdeleD@contoso.com", relevanceScore: 30, selectionLikelihood: "notSpecified" },
        ],
        phones: [{ type: "business", number: "+1 425 555 0108" }],
        postalAddresses: [],
        websites: [],
        personType: { class: "Person", subclass: "OrganizationUser" },
      },
    ],
  });
});

test("the own department comes first, then manager, reports and everybody else, ten to a page", async () => {
  const page = await fixture.get("/me/people?$select=displayName", { claims: { oid: oid("JohannaL") } });
  expect(names(page)).toEqual([
    "Henrietta Mueller",
    "Jordan Miller",
    "Jordan Lee",
    "Jürgen Müller",
    "Pradeep Gupta",
    "Priya Gupta",
    "张伟",
    "Nestor Wilke",
    "Patti Fernandez",
    "Miriam Graham",
  ]);
  const nestor = await fixture.get("/me/people?$select=displayName&$top=5", { claims: { oid: oid("NestorW") } });
  expect(names(nestor)).toEqual([
    "Irvin Sayers",
    "Patti Fernandez",
    "Johanna Lorenz",
    "Allan Deyoung",
    "Miriam Graham",
  ]);
});

test("oneself is not among the relevant people; everybody else is, page by page", async () => {
  const seen: unknown[] = [];
  let link: unknown = "/me/people?$select=displayName&$top=15";
  while (typeof link === "string") {
    const page = await fixture.get(link);
    seen.push(...(names(page) ?? []));
    link = page.body["@odata.nextLink"];
  }
  expect(new Set(seen).size).toBe(36);
  expect(seen).toHaveLength(36);
  expect(seen).not.toContain("Adele Vance");
});

test("$select keeps the id", async () => {
  const { body } = await fixture.get("/me/people?$top=1&$select=displayName,personType");
  expect(body.value).toEqual([
    {
      id: "b3d5f607-1a29-4e8c-94b7-c0e8d2f61a09",
      displayName: "Adèle Dubois",
      personType: { class: "Person", subclass: "OrganizationUser" },
    },
  ]);
});

test.each([
  ["alex", ["Alex Wilber", "Alex Darrow"]],
  ['"alex dar"', ["Alex Darrow"]],
  ["fabrikam", ["Sam Jenkins"]],
  ["o'connor", ["Siobhán O'Connor"]],
  ["lex", []],
])("$search=%s finds beginnings of words in names and addresses", async ($search, expected) => {
  const { body } = await fixture.get(`/me/people?${new URLSearchParams({ $search }).toString()}`);
  expect(body.value?.map(({ displayName }) => displayName)).toEqual(expected);
});

test("G30: a search gives at most 250 people", async () => {
  const [template] = fixture.tenant.users;
  if (!template) throw new Error("The tenant has no users.");
  const crowd = Array.from({ length: 300 }, (_, index) => ({
    ...template,
    id: `crowd-${index}`,
    displayName: "Zoë Crowd",
  }));
  fixture.tenant.users.push(...crowd);
  const { body } = await fixture.get("/me/people?$search=crowd&$top=1000");
  fixture.tenant.users.splice(-crowd.length);
  expect(body.value).toHaveLength(250);
});

test("people can be filtered by a nested property and sorted", async () => {
  const $filter = "personType/subclass eq 'PersonalContact'";
  expect(names(await fixture.get(`/me/people?${new URLSearchParams({ $filter }).toString()}`))).toEqual([
    "Sam Jenkins",
  ]);
  const sorted = await fixture.get("/me/people?$orderby=displayName desc&$top=1&$filter=department eq 'Retail'");
  expect(names(sorted)).toEqual(["Lynne Robbins"]);
});

test("G24: with the switch the first page of people is empty and the next is not", async () => {
  fixture.graph.switches["graph.emptyPage"] = true;
  const first = await fixture.get("/me/people?$top=3");
  const second = await fixture.get(String(first.body["@odata.nextLink"]));
  fixture.graph.switches["graph.emptyPage"] = false;
  expect(first.body.value).toEqual([]);
  expect(second.body.value).toHaveLength(3);
});

test("a filter on a property that people do not have is 400", async () => {
  expect(problem(await fixture.get("/me/people?$filter=shoeSize eq 42"))).toEqual([
    400,
    "BadRequest",
    "Invalid filter clause: Could not find a property named 'shoeSize' on type 'microsoft.graph.person'.",
  ]);
});

test("a mobile phone is listed beside the business phone, and a guest has no organisation's address", async () => {
  const { body } = await fixture.get("/me/people?$search=patti&$select=phones");
  expect(body.value?.[0]?.["phones"]).toEqual([
    { type: "business", number: "+1 425 555 0100" },
    { type: "mobile", number: "+1 206 555 0100" },
  ]);
  const guest = await fixture.get("/me/people?$search=sam&$select=imAddress,personType");
  expect(guest.body.value?.[0]).toMatchObject({ imAddress: null, personType: { subclass: "PersonalContact" } });
});

test("G20: only directory answers tell a cost", async () => {
  expect((await fixture.get("/me/people")).headers.has("x-ms-resource-unit")).toBe(false);
});

test("a page of more than 1000 people is 400", async () => {
  expect(problem(await fixture.get("/me/people?$top=1001"))).toEqual([
    400,
    "BadRequest",
    "Invalid value '1001' for $top query option: it must be between 1 and 1000.",
  ]);
});

test.each(["/me/people", "/me/mailboxSettings"])(
  "G7: %s without the permission is 403 ErrorAccessDenied",
  async (path) => {
    expect(problem(await fixture.get(path, { claims: { scp: "User.Read" } }))).toEqual([
      403,
      "ErrorAccessDenied",
      "Access is denied. Check credentials and try again.",
    ]);
  },
);

test("the mailbox settings have time zone, working hours and language", async () => {
  const { body } = await fixture.get("/me/mailboxSettings", { claims: { oid: people.noRole.id } });
  expect(body).toEqual({
    "@odata.context": `${fixture.graph.origin}/v1.0/$metadata#users('40079818-3808-4585-903b-02605f061225')/mailboxSettings`,
    automaticRepliesSetting: {
      status: "disabled",
      externalAudience: "all",
      internalReplyMessage: "",
      externalReplyMessage: "",
    },
    dateFormat: "yyyy-MM-dd",
    language: { locale: "it-IT", displayName: "Italian (Italy)" },
    timeFormat: "HH:mm",
    timeZone: "W. Europe Standard Time",
    userPurpose: "user",
    workingHours: {
      daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
      startTime: "08:00:00.0000000",
      endTime: "17:00:00.0000000",
      timeZone: { name: "W. Europe Standard Time" },
    },
  });
});

test("G41: the time zone of a mailbox can be Customized Time Zone", async () => {
  const { body } = await fixture.get("/me/mailboxSettings?$select=timeZone", { claims: { oid: oid("LynneR") } });
  expect(body).toEqual({
    "@odata.context": expect.stringContaining("/mailboxSettings(timeZone)"),
    timeZone: "Customized Time Zone",
  });
});

test("a user without a mailbox has no mailbox settings", async () => {
  expect(problem(await fixture.get("/me/mailboxSettings", { claims: { oid: people.guest.id } }))).toEqual([
    404,
    "MailboxNotEnabledForRESTAPI",
    "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
  ]);
});
