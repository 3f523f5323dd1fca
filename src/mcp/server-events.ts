import { InMemoryServerEventBus, type ServerEvent, type ServerEventBus } from "@modelcontextprotocol/server";
import type { Bus } from "./bus.ts";

const CHANNEL = "server-events";

/**
 * Spreads the SDK's change events (list changed, resource updated) to the open streams of every instance.
 *
 * The bus is joined when the first stream opens; until then there is nobody to tell.
 */
export function createServerEventBus(bus: Bus, onerror: (error: Error) => void): ServerEventBus {
  const local = new InMemoryServerEventBus(onerror);
  let joined: Promise<unknown> | undefined;
  return {
    publish(event) {
      bus.publish(CHANNEL, JSON.stringify(event)).catch(onerror);
    },
    subscribe(listener) {
      joined ??= bus
        .subscribe(CHANNEL, (text) => local.publish(JSON.parse(text) as ServerEvent))
        .catch((error: Error) => {
          joined = undefined;
          onerror(error);
        });
      return local.subscribe(listener);
    },
  };
}
