/** Stops a subscription; harmless when called again. */
export type Unsubscribe = () => void;

/**
 * Carries messages between the instances of a deployment, so that a request and the reply to it may reach different ones.
 *
 * Nothing is stored: who does not listen when a message is published misses it.
 */
export interface Bus {
  /** Resolves when the message is handed over; rejects when the bus is down. */
  publish(channel: string, message: string): Promise<void>;
  /** Resolves when messages published from now on arrive; rejects when the bus is down. */
  subscribe(channel: string, listener: (message: string) => void): Promise<Unsubscribe>;
  close(): Promise<void>;
}
