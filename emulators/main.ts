import { once } from "node:events";
import { runCommand, startLaptop } from "./laptop.ts";

/**
 * `npm run emulators`: the local cloud without the server, for one that is started by hand, in a debugger for example.
 * Prints the environment that this server needs.
 */
await runCommand(async () => {
  const { cloud, serverPort, environment } = await startLaptop("easy-auth");
  const lines = Object.entries(environment).map(([name, value]) => `export ${name}='${value}'`);
  console.log(`${lines.join("\n")}

# The local cloud waits for a server on http://localhost:${serverPort}: paste the lines above into another terminal and
# run  npm run build && npm start  there. Clients reach it at ${cloud.mcpUrl}. Ctrl-C stops the local cloud.`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  await cloud.close();
  return 0;
});
