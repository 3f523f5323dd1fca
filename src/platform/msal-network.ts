import type { INetworkModule, NetworkRequestOptions } from "@azure/msal-node";

/** Sends MSAL's requests until their signal aborts; MSAL's own client waits for an answer without end. */
export function createMsalNetwork(signal: () => AbortSignal): INetworkModule {
  async function send(method: string, url: string, { headers, body }: NetworkRequestOptions = {}) {
    const response = await fetch(url, {
      method,
      signal: signal(),
      // What is sent proves who somebody is: it goes to the endpoint and nowhere else.
      redirect: "error",
      ...(headers && { headers }),
      ...(body !== undefined && { body }),
    });
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      // Of any shape: MSAL checks what it reads of it.
      body: (await response.json()) as never,
    };
  }
  return {
    sendGetRequestAsync: (url, options) => send("GET", url, options),
    sendPostRequestAsync: (url, options) => send("POST", url, options),
  };
}
