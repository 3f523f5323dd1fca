import { describe, expect, test } from "vitest";
import { path } from "../../src/graph/path.ts";

const REFUSAL = {
  name: "ToolError",
  code: "invalid_arguments",
  message: "An id in the arguments is not valid. Use an id from an earlier result.",
};

function outcome(build: () => string): unknown {
  try {
    return build();
  } catch (error) {
    return error;
  }
}

describe("path", () => {
  test("of literals alone stays as written", () => {
    expect(path`/me/messages/$count`).toBe("/me/messages/$count");
  });

  test("puts several values into their places", () => {
    expect(path`/users/${"AdeleV@contoso.com"}/messages/${"AAMk+/="}/$value`).toBe(
      "/users/AdeleV%40contoso.com/messages/AAMk%2B%2F%3D/$value",
    );
  });

  test.each([
    ["an object id", "87d349ed-44d7-43e1-9a83-5f2406dee5bd", "87d349ed-44d7-43e1-9a83-5f2406dee5bd"],
    ["a guest's principal name", "sam_fabrikam.com#EXT#@contoso.com", "sam_fabrikam.com%23EXT%23%40contoso.com"],
    ["a climb to another path", "../groups", "..%2Fgroups"],
    ["a climb with a trailing slash", "../", "..%2F"],
    ["a climb with backslashes", "..\\groups", "..%5Cgroups"],
    ["an encoded climb", "%2e%2e", "%252e%252e"],
    ["an encoded slash", "a%2fb", "a%252fb"],
    ["three dots", "...", "..."],
    ["a slash", "/", "%2F"],
    ["two slashes", "//evil.example", "%2F%2Fevil.example"],
    ["a query", "me?$select=id", "me%3F%24select%3Did"],
    ["a fragment", "me#top", "me%23top"],
    ["another option", "me&$top=999", "me%26%24top%3D999"],
    ["a plus sign", "a+b", "a%2Bb"],
    ["a space", "a b", "a%20b"],
    ["a blank", " ", "%20"],
    ["single quotes", "')/messages('", "')%2Fmessages('"],
    ["double quotes", '"', "%22"],
    ["a matrix parameter", "me;v=1", "me%3Bv%3D1"],
    ["a line break", "me\r\nHost: evil.example", "me%0D%0AHost%3A%20evil.example"],
    ["a null character", "me\u0000", "me%00"],
    ["letters beyond ASCII", "Siobhán", "Siobh%C3%A1n"],
    ["a surrogate pair", "😀", "%F0%9F%98%80"],
    ["a method name of objects", "__proto__", "__proto__"],
  ])("keeps %s in one segment", (_what, value, segment) => {
    const built = path`/users/${value}/manager`;

    expect(built).toBe(`/users/${segment}/manager`);
    expect(new URL(`https://graph.microsoft.com/v1.0${built}`).pathname).toBe(`/v1.0/users/${segment}/manager`);
  });

  test.each([
    ["nothing", ""],
    ["one dot", "."],
    ["two dots", ".."],
    ["a lone high surrogate", "\uD800"],
    ["a lone low surrogate", "a\uDC00b"],
    ["surrogates in the wrong order", "\uDE00\uD83D"],
  ])("refuses %s", (_what, value) => {
    expect(outcome(() => path`/users/${value}`)).toMatchObject(REFUSAL);
    expect(outcome(() => path`/users/${"AdeleV"}/messages/${value}`)).toMatchObject(REFUSAL);
  });

  test("resolves no escape sequence in what the code wrote", () => {
    expect(path`/drives/root:\u002f`).toBe("/drives/root:/");
  });
});
