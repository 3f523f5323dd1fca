import { createProxy } from "../../emulators/app-service/proxy.ts";
import { type Listener, listen } from "../../emulators/kernel/listener.ts";

const IDLE_MS = 60_000;

/** Starts a proxy that adds an access token to every request: the suite cannot send one. All else passes unchanged. */
export async function startTokenProxy(origin: string, token: string): Promise<Listener> {
  const proxy = createProxy();
  const listener = await listen("the token proxy", (req, res) => {
    const { connection: _connection, "transfer-encoding": chunked, ...headers } = req.headers;
    proxy.forward(req, res, {
      origin,
      target: req.url ?? "/",
      headers: { ...headers, ...(chunked && { "transfer-encoding": chunked }), authorization: `Bearer ${token}` },
      idleMs: IDLE_MS,
      buffered: false,
    });
  });
  return {
    ...listener,
    async close() {
      await listener.close();
      proxy.close();
    },
  };
}
