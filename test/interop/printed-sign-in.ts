import { stripVTControlCharacters } from "node:util";
import type { RemoteServer } from "./client.ts";

/** An authorize endpoint's address, once what follows it shows that it is complete. */
const AUTHORIZE_URL = /https?:\/\/\S+\/authorize\?\S+(?=\s)/;

/** Reads what a client prints; when that is the address of a sign-in, signs in and calls the client back, once. */
export class PrintedSignIn {
  /** Rejects when the sign-in or the callback fails; never resolves. */
  readonly failure: Promise<never>;
  readonly #signIn: RemoteServer["signIn"];
  #fail: (reason: unknown) => void = () => undefined;
  #text = "";
  #started = false;

  constructor(signIn: RemoteServer["signIn"]) {
    this.#signIn = signIn;
    this.failure = new Promise((_resolve, reject) => {
      this.#fail = reject;
    });
    // Whoever races it may have gone by then.
    this.failure.catch(() => undefined);
  }

  read(chunk: string): void {
    if (this.#started) return;
    this.#text += chunk;
    const [url] = AUTHORIZE_URL.exec(stripVTControlCharacters(this.#text)) ?? [];
    if (url === undefined) return;
    this.#started = true;
    this.#complete(url).catch(this.#fail);
  }

  async #complete(url: string): Promise<void> {
    const callback = await this.#signIn(url);
    const { status } = await fetch(callback);
    if (status >= 400) throw new Error(`The client answered ${status} to ${callback.origin}${callback.pathname}`);
  }
}
