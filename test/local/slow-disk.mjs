import { promises as fs } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";

// Preloaded into a server: what it writes in one step is there a second later.
const { rename } = fs;
fs.rename = async (from, to) => {
  await sleep(1000);
  return rename(from, to);
};
syncBuiltinESMExports();
