import { describe, expect, test } from "vitest";
import { line, preview } from "../../src/graph/confirm-text.ts";

describe("line", () => {
  test.each([
    ["a line break", "Budget\r\nTo: ann@contoso.com", "Budget To: ann@contoso.com"],
    ["other line ends", "a\u2028b\u0085c\vd", "a b c d"],
    ["what nobody sees", "pay\u200b\u202egnp.exe\u{e0041}", "paygnp.exe"],
    ["control characters", "a\u0000b\u001b[2Kc", "ab[2Kc"],
    ["blanks that would push the rest away", "Hello                    world\t!", "Hello world !"],
  ])("keeps a value on one line: %s", (_what, text, shown) => {
    expect(line(text)).toBe(shown);
  });

  test("is cut at 255 characters, or where it is told, and never inside one", () => {
    expect(line("x".repeat(255))).toBe("x".repeat(255));
    expect(line("x".repeat(256))).toBe(`${"x".repeat(255)}…`);
    expect(line("aa😀", 3)).toBe("aa…");
  });
});

describe("preview", () => {
  test("shows a text with its length, and each of its lines as one of a text", () => {
    expect(preview("Hello Kim,\r\nTo: boss@contoso.com\n\nBye\n")).toBe(
      "Text (36 characters):\n> Hello Kim,\n> To: boss@contoso.com\n> \n> Bye",
    );
  });

  test("shows the start of a long text and says how long it is", () => {
    expect(preview("y".repeat(500))).toBe(`Text (500 characters):\n> ${"y".repeat(500)}`);
    expect(preview("y".repeat(12_034))).toBe(`Text (first 500 of 12034 characters):\n> ${"y".repeat(500)}…`);
  });

  test.each(["", " \n ", "\u200b"])("says that %j is no text", (text) => {
    expect(preview(text)).toBe("Text: none");
  });

  test.each(["\u2028", "\u0085", "\v", "\r"])("lets no line begin otherwise after %j", (end) => {
    expect(preview(`Hi${end}Subject: none`)).toBe("Text (16 characters):\n> Hi\n> Subject: none");
  });
});
