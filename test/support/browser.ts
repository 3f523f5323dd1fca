/** A form of a page, ready to be sent. */
export interface Form {
  readonly action: URL;
  readonly method: string;
  /** The hidden and text inputs with their values. */
  readonly fields: Readonly<Record<string, string>>;
  /** The buttons that send it. */
  readonly buttons: readonly { readonly name: string; readonly value: string; readonly text: string }[];
}

/** What a browser shows. */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
  readonly forms: readonly Form[];
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
const unescapeHtml = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|#39);/g, (_all, name: string) => ENTITIES[name] ?? "");

const attribute = (tag: string, name: string) => {
  const [, value] = new RegExp(`\\s${name}="([^"]*)"`).exec(tag) ?? [];
  return value === undefined ? undefined : unescapeHtml(value);
};

function parseForms(html: string, base: URL): Form[] {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)].map(([, head = "", content = ""]) => ({
    action: new URL(attribute(head, "action") ?? base.href, base),
    method: (attribute(head, "method") ?? "get").toUpperCase(),
    fields: Object.fromEntries(
      [...content.matchAll(/<input\b[^>]*>/g)].flatMap(([tag]) => {
        const name = attribute(tag, "name");
        return name === undefined ? [] : [[name, attribute(tag, "value") ?? ""]];
      }),
    ),
    buttons: [...content.matchAll(/<button\b([^>]*)>([\s\S]*?)<\/button>/g)].map(([, tag = "", text = ""]) => ({
      name: attribute(tag, "name") ?? "",
      value: attribute(tag, "value") ?? "",
      text: unescapeHtml(text.replaceAll(/<[^>]*>/g, " ")).trim(),
    })),
  }));
}

/**
 * A browser without a screen: keeps cookies, follows redirects and fills in forms.
 *
 * Cookies go by host and path as in a real one, where ports make no difference.
 */
export class Browser {
  readonly #cookies = new Map<string, { readonly value: string; readonly host: string; readonly path: string }>();
  readonly #headers: Readonly<Record<string, string>>;

  /** `headers` are sent with every request. */
  constructor(headers: Readonly<Record<string, string>> = {}) {
    this.#headers = headers;
  }

  /** Names of the cookies that it keeps for this host. */
  cookieNames(hostname: string): string[] {
    return [...this.#cookies].filter(([, { host }]) => host === hostname).map(([key]) => key.split(" ")[0] ?? "");
  }

  /** Opens an address. A redirect for which `stopAt` answers true is not followed: its address is the page's. */
  async open(url: string | URL, stopAt: (url: URL) => boolean = () => false): Promise<Page> {
    return this.#go(new URL(url), {}, stopAt);
  }

  /**
   * Sends a form with the button that has this value, after filling in `fields`.
   *
   * An action for which `stopAt` answers true is not requested: the page's address is the action with the fields.
   */
  async submit(
    form: Form,
    options: { readonly button?: string; readonly fields?: Readonly<Record<string, string>> } = {},
    stopAt: (url: URL) => boolean = () => false,
  ): Promise<Page> {
    const button = form.buttons.find(({ value }) => value === options.button);
    if (options.button !== undefined && !button) throw new Error(`The form has no button "${options.button}".`);
    const fields = { ...form.fields, ...options.fields, ...(button?.name ? { [button.name]: button.value } : {}) };
    const body = new URLSearchParams(fields);
    const withQuery = new URL(form.action);
    withQuery.search = body.toString();
    if (stopAt(form.action)) return { url: withQuery, status: 0, headers: new Headers(), html: "", forms: [] };
    if (form.method === "POST") return this.#go(form.action, { method: "POST", body }, stopAt);
    return this.#go(withQuery, {}, stopAt);
  }

  /** Forgets every cookie. */
  clear(): void {
    this.#cookies.clear();
  }

  async #go(start: URL, request: RequestInit, stopAt: (url: URL) => boolean): Promise<Page> {
    let url = start;
    let init = request;
    for (let hops = 0; hops < 20; hops += 1) {
      const response = await fetch(url, {
        ...init,
        redirect: "manual",
        headers: { cookie: this.#cookieHeader(url), accept: "text/html", ...this.#headers },
      });
      this.#store(url, response.headers.getSetCookie());
      const location = response.headers.get("location");
      const html = await response.text();
      if (location === null || response.status < 300 || response.status >= 400) {
        return { url, status: response.status, headers: response.headers, html, forms: parseForms(html, url) };
      }
      const target = new URL(location, url);
      if (stopAt(target))
        return { url: target, status: response.status, headers: response.headers, html: "", forms: [] };
      url = target;
      init = {};
    }
    throw new Error(`Too many redirects from ${start.href}`);
  }

  #cookieHeader({ hostname, pathname }: URL): string {
    return [...this.#cookies]
      .filter(([, { host, path }]) => host === hostname && pathname.startsWith(path))
      .map(([key, { value }]) => `${key.split(" ")[0]}=${value}`)
      .join("; ");
  }

  #store({ hostname }: URL, setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = "", ...attributes] = line.split(/;\s*/);
      const [name = "", ...rest] = pair.split("=");
      const path = attributes.find((text) => /^path=/i.test(text))?.slice(5) ?? "/";
      const expires = attributes.find((text) => /^expires=/i.test(text))?.slice(8);
      const key = `${name} ${hostname}${path}`;
      const gone = attributes.includes("Max-Age=0") || (expires !== undefined && Date.parse(expires) <= Date.now());
      if (gone) this.#cookies.delete(key);
      else this.#cookies.set(key, { value: rest.join("="), host: hostname, path });
    }
  }
}

/** Who signs in and what they decide. */
export interface SignInChoices {
  /** Alias, as in `AdeleV`, or user principal name. */
  readonly as: string;
  /** Accept (default) or decline the permissions, where the page asks. */
  readonly consent?: boolean;
  /** Approve (default) or deny the second factor, where the page asks. With `true` it is also asked for. */
  readonly mfa?: boolean;
}

/** Whether the text of an account button names a user; a guest's principal name starts with `<alias>_`. */
const names = (text: string, user: string) =>
  text
    .toLowerCase()
    .split(/\s+/)
    .some((word) => word.includes("@") && [word, word.split("@")[0], word.split("_")[0]].includes(user.toLowerCase()));

function nextStep(page: Page, { as, consent = true, mfa }: SignInChoices): { form: Form; button?: string } | undefined {
  const [first] = page.forms;
  if (!first) return undefined;
  const step = first.action.pathname.split("/").at(-1);
  if (step === "mfa") return { form: first, button: mfa === false ? "deny" : "approve" };
  if (step === "consent") return { form: first, button: consent ? "accept" : "cancel" };
  if (first.action.origin !== page.url.origin) return { form: first };
  if (step !== "login") return undefined;
  const picked = page.forms.find(({ buttons: [button] }) => button && names(button.text, as));
  if (!picked?.buttons[0]) throw new Error(`The account page does not list "${as}".`);
  const { value } = picked.buttons[0];
  const stepUp = page.forms.find(({ fields, buttons }) => fields["mfa"] === "yes" && buttons[0]?.value === value);
  return { form: (mfa === true && stepUp) || picked, button: value };
}

/** Answers the pages of a sign-in, from the one that is open to the first that is not part of it. */
export async function answerSignIn(
  browser: Browser,
  page: Page,
  choices: SignInChoices,
  stopAt?: (url: URL) => boolean,
): Promise<Page> {
  let current = page;
  for (let steps = 0; steps < 6; steps += 1) {
    const step = current.status === 200 ? nextStep(current, choices) : undefined;
    if (!step) return current;
    current = await browser.submit(step.form, step.button === undefined ? {} : { button: step.button }, stopAt);
  }
  throw new Error(`The sign-in does not come to an end: ${current.url.href}`);
}

/**
 * Signs in at an authorize URL through the real pages and returns where the browser is sent at last: the client's
 * redirect URI with `code` or `error`. Nothing is requested from the client, and a form for it is returned as its address
 * with the fields as query.
 */
export async function signIn(authorizeUrl: string | URL, choices: SignInChoices & { browser?: Browser }): Promise<URL> {
  const browser = choices.browser ?? new Browser();
  const { origin } = new URL(authorizeUrl);
  const leaves = (url: URL) => url.origin !== origin;
  const page = await answerSignIn(browser, await browser.open(authorizeUrl, leaves), choices, leaves);
  if (page.url.origin === origin) throw new Error(`The sign-in ended at Entra: ${page.status} ${page.html}`);
  return page.url;
}
