import { describe, expect, test } from "vitest";
import { renderQuery, searchClause } from "../../src/graph/query.ts";

describe("query options", () => {
  test("are rendered in order, without those that are undefined", () => {
    expect(renderQuery({ $top: 10, $filter: undefined, $count: true, $select: "id" })).toBe(
      "$top=10&$count=true&$select=id",
    );
  });

  test("come to nothing when there are none", () => {
    expect(renderQuery({})).toBe("");
    expect(renderQuery({ $top: undefined })).toBe("");
  });

  test("keep an empty value and zero", () => {
    expect(renderQuery({ $search: "", $skip: 0 })).toBe("$search=&$skip=0");
  });

  test.each([
    ["another option", "a&$top=999", "a%26%24top%3D999"],
    ["a fragment", "a#b", "a%23b"],
    ["a plus sign", "a+b", "a%2Bb"],
    ["a percent sign", "100%", "100%25"],
    ["an encoded ampersand", "a%26b", "a%2526b"],
    ["a question mark", "a?b", "a%3Fb"],
    ["quotes", `"a' OR 'b"`, "%22a'%20OR%20'b%22"],
    ["a line break", "a\r\nb", "a%0D%0Ab"],
    ["letters beyond ASCII", "Jürgen", "J%C3%BCrgen"],
    ["a surrogate pair", "😀", "%F0%9F%98%80"],
  ])("cannot be left by a value with %s", (_what, value, encoded) => {
    const rendered = renderQuery({ $search: value, $top: 1 });

    expect(rendered).toBe(`$search=${encoded}&$top=1`);
    expect([...new URLSearchParams(rendered)]).toEqual([
      ["$search", value],
      ["$top", "1"],
    ]);
  });

  test.each(["\uD800", "ann \uDC00", "\uDE00\uD83D"])("with text that is no Unicode (%j) are refused", (value) => {
    expect(() => renderQuery({ $search: value })).toThrow(
      expect.objectContaining({
        name: "ToolError",
        code: "invalid_arguments",
        message: "The words in the arguments are not valid Unicode text.",
      }),
    );
  });
});

describe("search clause", () => {
  test.each([
    ["words", "adele vance", '"displayName:adele vance"'],
    ["a double quote", 'a" OR "mail:b', '"displayName:a\\" OR \\"mail:b"'],
    ["a backslash at the end", "a\\", '"displayName:a\\\\"'],
    ["a backslash and a quote", '\\"', '"displayName:\\\\\\""'],
    ["a single quote", "O'Connor", '"displayName:O\'Connor"'],
    ["a colon", "mail:x", '"displayName:mail:x"'],
    ["an operator", "a AND b", '"displayName:a AND b"'],
  ])("holds %s as one quoted term", (_what, words, clause) => {
    expect(searchClause("displayName", words)).toBe(clause);
  });
});
