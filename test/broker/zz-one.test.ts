import { test } from "vitest";
import { createRawClient, signInAtBroker } from "/work/main/test/support/broker.ts";
import { startStack } from "/work/main/test/support/stack.ts";
test("one", async () => {
  const stack = await startStack("broker");
  try {
    const client = await createRawClient(stack.serverOrigin);
    await new Promise(r=>setTimeout(r,1)); console.log((await signInAtBroker(client.authorizeUrl(), { as: "AdeleV" })).href);
  console.log(stack.server.output().slice(-3000)) } catch (e) { console.log(String(e).slice(0,300)); console.log(stack.server.output().slice(-3000)); }
  await stack.close();
});
