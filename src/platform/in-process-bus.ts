import { EventEmitter } from "node:events";
import type { Bus } from "../mcp/bus.ts";

/** The bus of a single instance: messages stay in the process. */
export function createInProcessBus(): Bus {
  const channels = new EventEmitter().setMaxListeners(0);
  return {
    async publish(channel, message) {
      channels.emit(channel, message);
    },
    async subscribe(channel, listener) {
      channels.on(channel, listener);
      return () => channels.off(channel, listener);
    },
    async close() {
      channels.removeAllListeners();
    },
  };
}
