import { test } from "vitest";
import { verifyDeployment } from "../../src/verify/verify.ts";
import { renderReport } from "../../src/verify/report.ts";
import { startStack } from "../support/stack.ts";
import { userToken } from "../support/forged-tokens.ts";
test.each(["easy-auth", "bearer", "broker"] as const)("%s", async (mode) => {
  const stack = await startStack(mode);
  const t = mode === "broker" ? undefined : await userToken(stack);
  const now = Math.floor(Date.now()/1000);
  const exp = mode === "broker" ? undefined : await userToken(stack, "AdeleV", { claims: { iat: now-7200, nbf: now-7200, exp: now-3600 } });
  console.log(renderReport(await verifyDeployment(new URL(stack.mcpUrl), { token: t, expiredToken: exp })));
  await stack.close();
}, 60000);
