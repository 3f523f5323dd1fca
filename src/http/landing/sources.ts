import { createHash } from "node:crypto";

/** Style of the page; by hash the only one that it accepts. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfbfa; --surface: #ffffff; --line: #deddd8; --text: #1d1f21; --soft: #5b6066;
  --accent: #0b5cad; --on-accent: #ffffff; --code: #f3f2ef;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131517; --surface: #1a1d20; --line: #33383d; --text: #e8e9ea; --soft: #a3abb3;
    --accent: #85bdf5; --on-accent: #0d1d2d; --code: #101214;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 0 1.25rem 3rem; max-width: 46rem; background: var(--ground); color: var(--text);
  font: 1rem/1.6 system-ui, -apple-system, "Segoe UI", sans-serif; -webkit-text-size-adjust: 100%;
}
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: .25rem; }
.skip { position: absolute; left: -100vw; top: .5rem; padding: .5rem 1rem; background: var(--surface); }
.skip:focus { left: 1rem; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; justify-content: space-between; padding: 1.25rem 0; color: var(--soft); font-size: .9375rem; }
header p { margin: 0; } header strong { color: var(--text); font-weight: 600; } header nav a { margin-left: .5rem; }
.host { overflow-wrap: anywhere; }
h1 { margin: clamp(1.5rem, 7vw, 4rem) 0 .75rem; font-size: clamp(1.9rem, 6vw, 2.75rem); line-height: 1.15; letter-spacing: -.02em; font-weight: 650; text-wrap: balance; }
.lead { margin: 0 0 2.25rem; max-width: 36rem; color: var(--soft); font-size: 1.125rem; text-wrap: pretty; }
h2 { margin: 3rem 0 .75rem; font-size: 1.25rem; line-height: 1.3; letter-spacing: -.01em; font-weight: 650; }
h2.quiet { margin: 0 0 .5rem; font-size: .9375rem; letter-spacing: 0; font-weight: 500; color: var(--soft); }
h3 { margin: 0 0 .25rem; font-size: 1rem; font-weight: 650; } h3.withheld { margin-top: 2rem; }
code { font: .875rem/1.6 ui-monospace, "Cascadia Code", Menlo, Consolas, monospace; }
.address, .snippet { display: flex; align-items: stretch; border: 1px solid var(--line); border-radius: .5rem; background: var(--surface); overflow: hidden; }
.snippet { background: var(--code); }
pre { flex: 1; min-width: 0; margin: 0; padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.address code { font-size: 1rem; }
.address + p { margin-top: 1rem; }
button { flex: none; align-self: stretch; min-width: 5.5rem; padding: 0 1rem; border: 0; border-left: 1px solid var(--line); background: none; color: var(--accent); font: inherit; font-size: .9375rem; cursor: pointer; }
.snippet button { align-self: flex-start; min-height: 3rem; border-bottom: 1px solid var(--line); border-bottom-left-radius: .5rem; }
@media (max-width: 34rem) {
  .snippet { flex-direction: column-reverse; }
  .snippet button { align-self: stretch; border-left: 0; border-bottom-left-radius: 0; }
}
button:hover, summary:hover { background: color-mix(in srgb, var(--accent) 9%, transparent); }
button:focus-visible { outline-offset: -3px; }
.button { display: inline-block; padding: .65rem 1.25rem; border-radius: .5rem; background: var(--accent); color: var(--on-accent); font-weight: 600; text-decoration: none; }
.button:hover { background: color-mix(in srgb, var(--accent) 88%, var(--text)); }
details { border-top: 1px solid var(--line); } details:last-of-type { border-bottom: 1px solid var(--line); }
summary { padding: .75rem .25rem; font-weight: 500; cursor: pointer; }
details p { margin: 0 .25rem .75rem; } details .snippet { margin: 0 .25rem 1rem; }
.toolsets { columns: 19rem; column-gap: 2rem; } .toolsets > li { break-inside: avoid; padding-bottom: 1.1rem; }
ul { margin: 0; padding: 0; list-style: none; }
.toolsets ul li { padding: .1rem 0; }
.toolsets code { color: var(--soft); font-size: .8125rem; overflow-wrap: anywhere; }
.tag { display: inline-block; padding: 0 .5rem; border: 1px solid var(--line); border-radius: 1rem; color: var(--soft); font-size: .8125rem; }
.soft { color: var(--soft); }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .9375rem; }
`;

/** Script of the page: copy buttons, and nothing else. */
export const SCRIPT = `
const status = document.getElementById("copied");
for (const button of document.querySelectorAll("[data-copies]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  const label = button.firstChild;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent);
      label.data = "Copied";
      status.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      status.textContent = "Selected. Copy it with the keyboard.";
    }
    setTimeout(() => { label.data = "Copy"; status.textContent = ""; }, 2000);
  });
}
`;

const MARK =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b5cad"/><path d="M10 21V11l6 6 6-6v10" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" stroke-linejoin="round"/></svg>';

/** Icon of the tab, so that no browser asks for one. */
export const ICON = `data:image/svg+xml,${encodeURIComponent(MARK)}`;

/** What a Content-Security-Policy calls the style. */
export const STYLE_SOURCE = sourceOf(STYLE);

/** What a Content-Security-Policy calls the script. */
export const SCRIPT_SOURCE = sourceOf(SCRIPT);

function sourceOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
