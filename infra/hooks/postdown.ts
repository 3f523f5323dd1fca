import { createInterface } from "node:readline/promises";
import { findDeletedResources } from "./bin.ts";
import { connectAzure, readDeployment, runHook } from "./deployment.ts";
import { findRegistrations, removeRegistration } from "./registrations.ts";

/** Says what `azd down` left: offers to remove the registrations for good, and names the vault whose name stays taken. */
async function main(): Promise<void> {
  const deployment = readDeployment(process.env);
  if (deployment.subscriptionId === undefined) return;
  const azure = connectAzure(deployment);
  for (const { name, until } of await findDeletedResources(azure, deployment, "vaults")) {
    console.log(
      `The key vault ${name} is protected: its name stays taken${until === "" ? "" : ` until ${until}`}. The next "azd up" of this environment takes it back, with its signing key.`,
    );
  }
  if (deployment.option("MCP_REGISTRATION_CLIENT_ID") !== "") return;

  const registrations = await findRegistrations(azure, deployment);
  if (registrations.length === 0) return;
  console.log("azd does not remove registrations from Entra ID. Left are:");
  for (const { displayName, appId, deleted } of registrations) {
    console.log(`- ${displayName} (${appId})${deleted ? ", in the bin" : ""}`);
  }
  if (!(await wantsRemoval(deployment.option("MCP_REMOVE_REGISTRATIONS")))) {
    console.log(
      "They stay; the next deployment of this environment uses them. To remove them: azd env set MCP_REMOVE_REGISTRATIONS true && azd hooks run postdown",
    );
    return;
  }
  for (const registration of registrations) {
    await removeRegistration(azure, registration);
    console.log(`Removed for good: ${registration.displayName}`);
  }
}

async function wantsRemoval(answer: string): Promise<boolean> {
  if (answer !== "") return answer.toLowerCase() === "true";
  if (!process.stdin.isTTY) return false;
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await prompt.question("Remove them for good, with all consents? (y/N) ");
  prompt.close();
  return typed.trim().toLowerCase() === "y";
}

await runHook(main);
