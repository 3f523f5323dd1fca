import { describe, expect, test } from "vitest";
import { collect } from "../../src/extract/collector.ts";
import { readHtml } from "../../src/extract/html.ts";
import { tidy } from "../../src/extract/plain-text.ts";

async function read(html: string): Promise<string> {
  const { text } = await collect((collector) => readHtml(Buffer.from(html), { truncated: false }, collector));
  return tidy(text);
}

describe("text that its reader sees stays", () => {
  test.each<[string, string]>([
    ["white on a dark cell", '<table bgcolor="#003366"><tr><td style="color:#fff">yes</td></tr></table>'],
    [
      "white on a dark block of the sheet",
      "<style>.hero{background:#003;color:white}</style><div class=hero>yes</div>",
    ],
    ["white on a picture", '<td background="x.png"><span style="color:white">yes</span></td>'],
    ["white on a picture of the sheet", '<style>#h{background:url(x.png)}</style><h1 id=h style="color:#fff">yes</h1>'],
    ["sized in a cell without size", '<td style="font-size:0"><div style="font-size:14px">yes</div></td>'],
    ["visible in something hidden", '<div style="visibility:hidden"><p style="visibility:visible">yes</p></div>'],
    [
      "hidden on small screens only",
      "<style>@media (max-width:600px){.d{display:none!important}}</style><p class=d>yes</p>",
    ],
    ["printed never, shown always", "<style>@media print{p{display:none}}</style><p>yes</p>"],
    ["hidden within something else by its tag", "<style>.collapsed p{display:none}</style><p>yes</p>"],
    ["grey", '<p style="color:#999999">yes</p>'],
    [
      "a link in a text without a colour of its own",
      '<div style="color:white"><a href="mailto:a@b.example">yes</a></div>',
    ],
    ["small", '<p style="font-size:9px;line-height:0">yes</p>'],
    ["nearly opaque", '<p style="opacity:.9">yes</p>'],
    ["a little moved", '<p style="margin-left:-20px;text-indent:-18pt">yes</p>'],
    ["of a colour that is not known", '<p style="color:var(--x);background:inherit">yes</p>'],
    ["transparent behind", '<p style="background:transparent;color:#000">yes</p>'],
    ["for every program but one", "<!--[if mso]><p>no</p><![endif]--><![if !mso]><p>yes</p><![endif]>"],
    ["in a box with a height", '<div style="height:20px;overflow:hidden">yes</div>'],
    ["in a broken style", '<p style="color:;;:red;display">yes</p>'],
    ["behind a broken sheet", "<style>}{ .a{ /* </style><p class=a>yes</p>"],
  ])("%s", async (_what, html) => {
    expect(await read(html)).toBe("yes");
  });
});

test.each([
  ["blanks at the start of lines are not kept", "<p>\n  a\n  b<br>\n  c</p>", "a b\nc"],
  ["but in preformatted text they are", "<pre>a\n  b</pre>", "a\n  b"],
])("%s", async (_what, html, text) => {
  expect(await read(html)).toBe(text);
});

describe("a link", () => {
  test.each([
    ['<a href="https://contoso.com/a">contoso.com</a>', "contoso.com"],
    ['<a href="https://www.contoso.com/a">See contoso.com</a>', "See contoso.com"],
    ['<a href="https://contoso.com/a">Read <b>more</b></a>.', "Read more [link: contoso.com]."],
    ['<a href="https://evil.example">contoso.com</a>', "contoso.com [link: evil.example]"],
    [
      '<a href="https://contoso.com">contoso.com or evil.example</a>',
      "contoso.com or evil.example [link: contoso.com]",
    ],
    ['<a href=" HTTPS://contoso.com@evil.example ">contoso.com</a>', "contoso.com [link: evil.example]"],
    ['<a href="mailto:a@contoso.com">Write</a>', "Write"],
    ['<a href="javascript:alert(1)">Go</a>', "Go"],
    ['<a href="https://[">Go</a>', "Go"],
    ['<a href="https://contoso.com"><img src="x" alt="y"></a>', ""],
    ['<a href="https://evil.example" style="display:none">x</a>', ""],
  ])("%s is read as %s", async (html, text) => {
    expect(await read(html)).toBe(text);
  });
});

describe("a hostile page takes time in proportion to its length", () => {
  const nested = (count: number) => `${"<i>".repeat(200)}${"</b>".repeat(count)}`;
  test.each<[string, (length: number) => string]>([
    ["comments in a style that nobody ends", (length) => `<style>${"/*".repeat(length / 2)}</style>x`],
    ["rules that nobody ends", (length) => `<style>${"a{".repeat(length / 2)}</style>x`],
    ["many rules", (length) => `<style>${".a{color:red}".repeat(length / 13)}</style><p class=a>x`],
    ["selectors", (length) => `<style>${".a,".repeat(length / 3)}b{color:red}</style>x`],
    ["one long selector", (length) => `<style>${"a ".repeat(length / 2)}{color:red}</style>x`],
    ["statements", (length) => `<style>${"@x;".repeat(length / 3)}</style>x`],
    ["declarations", (length) => `<p style="${"color:red;".repeat(length / 10)}">x`],
    ["blanks in a declaration", (length) => `<p style="display${" ".repeat(length)}:none">x`],
    ["long values", (length) => `<p style="transform:${"translate(".repeat(length / 10)}">x`],
    ["classes", (length) => `<style>.a{color:red}</style><p class="${"a ".repeat(length / 2)}">x`],
    ["elements of a class", (length) => `<style>.a{color:red}</style>${"<p class=a>x</p>".repeat(length / 16)}`],
    ["links", (length) => "<a href=https://a.b>x</a>".repeat(length / 25)],
    ["one link around everything", (length) => `<a href=https://a.b>${"a.".repeat(length / 2)}</a>`],
    ["ends without a start", (length) => nested(length / 4)],
    ["attributes", (length) => `<p ${Array.from({ length: length / 8 }, (_, n) => `a${n}=1`).join(" ")}>x`],
    ["comments", (length) => "<!-".repeat(length / 3)],
    ["entities", (length) => "&am".repeat(length / 3)],
  ])("%s", async (_what, make) => {
    const time = async (length: number) => {
      const page = make(length);
      const before = process.cpuUsage();
      for (let run = 0; run < 3; run += 1) await read(page);
      return process.cpuUsage(before).user / 1000;
    };
    await time(20_000);
    const [short, long] = [await time(40_000), await time(480_000)];

    // Twelve times the page: with a square it would be 144 times. The constant, in milliseconds, is for what is too
    // short to measure.
    expect(long).toBeLessThan(12 * 4 * short + 100);
  });
});
