import { expect, test } from "vitest";
import { parseDirectorySearch } from "../../emulators/graph/odata/directory-search.ts";
import { checkFilter, matches } from "../../emulators/graph/odata/filter.ts";
import { parseFilter } from "../../emulators/graph/odata/filter-parser.ts";

const message = {
  subject: "Quarterly report",
  size: 20,
  isRead: false,
  receivedDateTime: "2026-11-20T09:30:00Z",
  flag: null,
  from: { emailAddress: { address: "MeganB@contoso.com" } },
  categories: ["Red category", "Finance"],
};

const holds = (filter: string) => matches(parseFilter(filter), message);

test.each([
  "subject eq 'quarterly REPORT'",
  "size eq 20 and isRead eq false",
  "size gt 19.5 and size lt 21 and size ge 20 and size le 20",
  "size in (1, 20)",
  "subject in ('a','Quarterly report')",
  "contains(subject,'REPORT')",
  "startsWith(subject,'quarter') and endswith(subject,'port')",
  "from/emailAddress/address eq 'meganb@contoso.com'",
  "receivedDateTime ge 2026-11-20T10:30:00+01:00",
  "receivedDateTime gt 2026-11-19",
  "flag eq null",
  "missing eq null",
  "subject ne null",
  "categories/any(c:c eq 'finance')",
  "categories/all(c:contains(c,'e') and size eq 20)",
  "isRead eq true or size eq 20 and subject ne 'x'",
  "not (isRead eq true)",
  "not not (isRead eq false)",
  "subject gt 'Q'",
  "not (size eq 20) and size eq 1 or size eq 20",
  "missing/all(m:m eq 1)",
  Array.from({ length: 150 }, () => "(size eq 20)").join(" and "),
])("the filter %s holds", (filter) => {
  expect(holds(filter)).toBe(true);
});

test.each([
  "subject eq 'quarterly'",
  "size gt 20",
  "size in (1,2)",
  "contains(flag,'x')",
  "receivedDateTime lt 2026-11-20T10:30:00+01:00",
  "categories/any(c:c eq 'blue')",
  "categories/all(c:c eq 'Finance')",
  "(isRead eq true or size eq 20) and subject eq 'x'",
  "isRead ne false",
  "subject gt 5",
  "missing/any(m:m eq 1)",
])("the filter %s does not hold", (filter) => {
  expect(holds(filter)).toBe(false);
});

test.each([
  ["", "Syntax error at position 0 in ''."],
  ["subject eq", "Syntax error at position 10 in 'subject eq'."],
  ["subject eq 'a' and", "Syntax error at position 18 in 'subject eq 'a' and'."],
  ["subject like 'a'", "Syntax error at position 8 in 'subject like 'a''."],
  ["(subject eq 'a'", "Syntax error at position 15 in '(subject eq 'a''."],
  ["subject eq 'a' subject", "Syntax error at position 15 in 'subject eq 'a' subject'."],
  ["subject eq 'open", "Syntax error at position 11 in 'subject eq 'open'."],
  ["subject eq ;", "Syntax error at position 11 in 'subject eq ;'."],
  ["contains(subject)", "Syntax error at position 16 in 'contains(subject)'."],
  ["categories/any('x':x eq 1)", "Syntax error at position 18 in 'categories/any('x':x eq 1)'."],
  ["soundslike(subject,'a')", "An unknown function with name 'soundslike' was found."],
  [`${"(".repeat(101)}size eq 1${")".repeat(101)}`, "Recursion depth exceeded allowed limit."],
  [`${"not ".repeat(5000)}size eq 1`, "Recursion depth exceeded allowed limit."],
])("the filter %s is refused", (filter, problem) => {
  expect(() => parseFilter(filter)).toThrow(
    expect.objectContaining({ status: 400, code: "BadRequest", message: `Invalid filter clause: ${problem}` }),
  );
});

test("a property that the resource does not have is refused wherever it stands", () => {
  const schema = { type: "microsoft.graph.message", properties: new Set(["subject", "categories"]) };
  const check = (filter: string) => () => checkFilter(parseFilter(filter), schema);
  expect(check("categories/any(c:c eq 'a') and startswith(subject,'b')")).not.toThrow();
  for (const filter of [
    "size eq 1",
    "not (size eq 1)",
    "categories/any(c:size eq 1)",
    "endswith(size,'a')",
    "size/any(s:s eq 1)",
  ]) {
    expect(check(filter)).toThrow(
      "Invalid filter clause: Could not find a property named 'size' on type 'microsoft.graph.message'.",
    );
  }
});

const rules = { searchable: new Set(["displayName", "mail"]), tokenized: new Set(["displayName"]) };

test.each([
  ["displayName:box", "MailBox2 of Sales", true],
  ["displayName:2 sales", "MailBox2 of Sales", true],
  ["displayName:mailbox", "MailBox2 of Sales", true],
  ["displayName:ox", "MailBox2 of Sales", false],
  ["displayName:http", "HTTPServer", true],
  ["displayName:Mu\u0308ller", "Jürgen Müller", true],
  ["displayName:müller", "Jürgen Mu\u0308ller", true],
])('G34: the search "%s" on %s: %s', (clause, displayName, expected) => {
  expect(parseDirectorySearch(`"${clause}"`, rules)({ displayName })).toBe(expected);
});

test("G34: what is not tokenized is compared from its beginning, and a null is never found", () => {
  const search = parseDirectorySearch('"mail:alex.w"', rules);
  expect(search({ mail: "Alex.Wilber@contoso.com" })).toBe(true);
  expect(search({ mail: "wilber.alex.w@contoso.com" })).toBe(false);
  expect(search({ mail: null })).toBe(false);
});

test("G34: a backslash escapes a quote and itself", () => {
  const search = parseDirectorySearch(String.raw`"mail:a\"b\\c"`, rules);
  expect(search({ mail: String.raw`a"b\c@contoso.com` })).toBe(true);
});

test("a name that every JavaScript object has is a property like any other, and users have it not", () => {
  const schema = { type: "microsoft.graph.user", properties: new Set(["id"]) };
  expect(() => checkFilter(parseFilter("constructor eq 1"), schema)).toThrow(
    "Invalid filter clause: Could not find a property named 'constructor' on type 'microsoft.graph.user'.",
  );
});
