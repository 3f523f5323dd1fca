import type { User } from "../../directory.ts";
import { badRequest } from "../failure.ts";
import { checkFilter, matches } from "../odata/filter.ts";
import { parseFilter } from "../odata/filter-parser.ts";
import { formatQueryOptions, wholeNumber } from "../odata/options.ts";
import { parseOrder } from "../odata/order.ts";
import type { Row, Schema } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import { me } from "./users.ts";

const DEFAULT_PAGE_SIZE = 10;
const MAX_PAGE_SIZE = 1000;
const MAX_SEARCH_RESULTS = 250;

const PROPERTIES = [
  "id",
  "displayName",
  "givenName",
  "surname",
  "birthday",
  "personNotes",
  "isFavorite",
  "jobTitle",
  "companyName",
  "yomiCompany",
  "department",
  "officeLocation",
  "profession",
  "userPrincipalName",
  "imAddress",
  "scoredEmailAddresses",
  "phones",
  "postalAddresses",
  "websites",
  "personType",
];

const PERSON: Schema = { type: "microsoft.graph.person", properties: new Set(PROPERTIES) };

/** How near two people work: the smaller, the nearer. */
function distance(from: User, to: User): number {
  if (from.department !== null && to.department === from.department) return 0;
  if (to.id === from.managerId) return 1;
  if (to.managerId === from.id) return 2;
  return 3;
}

const RELEVANCE = [30, 20, 15, 5];

function phones({ businessPhones, mobilePhone }: User) {
  return [
    ...businessPhones.map((number) => ({ type: "business", number })),
    ...(mobilePhone === null ? [] : [{ type: "mobile", number: mobilePhone }]),
  ];
}

function person(from: User, user: User): Row {
  const { id, displayName, givenName, surname, jobTitle, department, officeLocation, userPrincipalName } = user;
  const member = user.userType === "Member";
  return {
    id,
    displayName,
    givenName,
    surname,
    birthday: "",
    personNotes: "",
    isFavorite: false,
    jobTitle,
    companyName: null,
    yomiCompany: "",
    department,
    officeLocation,
    profession: "",
    userPrincipalName,
    imAddress: member ? `sip:${userPrincipalName}` : null,
    scoredEmailAddresses:
      user.mail === null
        ? []
        : [
            {
              address: user.mail,
              relevanceScore: RELEVANCE[distance(from, user)],
              selectionLikelihood: "notSpecified",
            },
          ],
    phones: phones(user),
    postalAddresses: [],
    websites: [],
    personType: { class: "Person", subclass: member ? "OrganizationUser" : "PersonalContact" },
  };
}

/** Each word must begin a word of the name or of a mail address. */
function searchTest(search: string): (user: User) => boolean {
  const words = (text: string) =>
    text
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
  const wanted = words(search);
  return ({ displayName, mail }) => {
    const found = words(`${displayName} ${mail ?? ""}`);
    return wanted.every((word) => found.some((candidate) => candidate.startsWith(word)));
  };
}

function relevantPeople(call: Call, self: User): Row[] {
  const [search, filterText, orderText] = ["$search", "$filter", "$orderby"].map((name) => call.options.get(name));
  const nearestFirst = call.tenant.users
    .filter(({ id }) => id !== self.id)
    .sort((a, b) => distance(self, a) - distance(self, b));
  const found =
    search === undefined ? nearestFirst : nearestFirst.filter(searchTest(search)).slice(0, MAX_SEARCH_RESULTS);
  let rows = found.map((user) => person(self, user));
  if (filterText !== undefined) {
    const filter = parseFilter(filterText);
    checkFilter(filter, PERSON);
    rows = rows.filter((row) => matches(filter, row));
  }
  return orderText === undefined ? rows : rows.sort(parseOrder(orderText, PERSON));
}

/** The people that are relevant to the signed-in user. */
export const peopleRoutes: readonly Route[] = [
  defineRoute({
    method: "GET",
    path: "/me/people",
    service: "exchange",
    permissions: ["People.Read", "People.Read.All"],
    options: ["$select", "$filter", "$search", "$orderby", "$top", "$skip"],
    handle(call) {
      const self = me(call);
      const selection = parseSelect(call.options, PERSON);
      const top = wholeNumber(call.options, "$top") ?? DEFAULT_PAGE_SIZE;
      if (top < 1 || top > MAX_PAGE_SIZE) {
        throw badRequest(`Invalid value '${top}' for $top query option: it must be between 1 and ${MAX_PAGE_SIZE}.`);
      }
      const skip = wholeNumber(call.options, "$skip") ?? 0;
      const rows = relevantPeople(call, self);
      const end = !call.options.has("$skip") && call.switches["graph.emptyPage"] ? 0 : skip + top;
      const nextOptions = new Map([...call.options, ["$skip", String(end)]]);
      const root = `${call.origin}/v1.0`;
      return {
        status: 200,
        body: {
          "@odata.context": `${root}/$metadata#users('${self.id}')/people${contextSelection(selection)}`,
          ...(end < rows.length && { "@odata.nextLink": `${root}${call.path}?${formatQueryOptions(nextOptions)}` }),
          value: rows.slice(skip, end).map((row) => project(row, ["id", ...(selection ?? PROPERTIES)])),
        },
      };
    },
  }),
];
