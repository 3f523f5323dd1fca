/** An address in a text, up to where most mail programs take its end to be. */
const ADDRESS = /\bhttps?:[/\\]{1,2}[^\s<>"'`()[\]{}]+/gi;
/** No host's name is longer. */
const MAX_HOST = 253;

/**
 * Adds the true host behind each web address that does not plainly show it: one with a user name that looks like a
 * host, letters that look like others, a number in place of a name.
 */
export function showHosts(text: string): string {
  return text.replace(ADDRESS, (address) => {
    const host = hostOf(address);
    if (host === undefined) return address;
    const start = address.indexOf("//") + 2;
    const shown = address.slice(start, start + MAX_HOST).toLowerCase();
    return shown.startsWith(host) &&
      /^(?::\d+)?(?:$|[^\p{L}\p{N}.:@-]|[.:](?:$|[^\p{L}\p{N}]))/u.test(shown.slice(host.length))
      ? address
      : `${address} ${labelOf(host)}`;
  });
}

/** What belongs behind the words of a link: its host, or nothing where the words are that. */
export function hostAfter(words: string, target: string): string {
  const host = /^\s*https?:/i.test(target) ? hostOf(target.trim()) : undefined;
  return host === undefined || showsOnly(words, host) ? "" : ` ${labelOf(host)}`;
}

const labelOf = (host: string) => `[link: ${host}]`;

function hostOf(address: string): string | undefined {
  return URL.canParse(address) ? new URL(address).hostname : undefined;
}

/** Whether the words hold this host as a word of its own, and no other one. */
function showsOnly(words: string, host: string): boolean {
  const names = words
    .toLowerCase()
    .split(/[^\p{L}\p{N}.-]+/u)
    .filter((word) => word.includes("."));
  return names.length > 0 && names.every((name) => name === host || `www.${name}` === host);
}
