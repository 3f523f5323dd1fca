import { findDeletedResources } from "./bin.ts";
import {
  type Azure,
  AzureError,
  connectAzure,
  type Deployment,
  readDeployment,
  runHook,
  setAzdValue,
} from "./deployment.ts";
import { checkOptions, isOn, usesContentSafety } from "./options.ts";
import { findRegistrations } from "./registrations.ts";

/** What stands in the way, with what to do about it, and what is good to know. */
interface Findings {
  readonly problems: string[];
  readonly notes: string[];
}

type Check = (azure: Azure, deployment: Deployment, findings: Findings) => Promise<void>;

const ROLES_FOR_REGISTRATIONS: Readonly<Record<string, string>> = {
  "62e90394-69f5-4237-9190-012177145e10": "Global Administrator",
  "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3": "Application Administrator",
  "158c047a-c907-4556-b7ef-446551a6b5f7": "Cloud Application Administrator",
  "cf1c38e5-3621-4004-a7cb-879624dced7c": "Application Developer",
};
const RIGHTS_NEEDED = [
  "Microsoft.Resources/subscriptions/resourceGroups/write",
  "Microsoft.Authorization/roleAssignments/write",
];

/** Says what is missing before azd creates anything. Exit code 1 when the deployment could not succeed. */
async function main(): Promise<void> {
  const deployment = readDeployment(process.env);
  const { problems, notes } = checkOptions(deployment.option);
  const findings: Findings = { problems: [...problems], notes: [...notes] };
  const azure = connectAzure(deployment);
  const checks: Check[] = [];
  if (deployment.option("MCP_REGISTRATION_CLIENT_ID") === "") checks.push(mayRegister);
  if (deployment.subscriptionId === undefined) {
    findings.notes.push(
      "azd asks for the subscription in a moment. What depends on it is checked from the second run on, or now: azd env set AZURE_SUBSCRIPTION_ID <id>",
    );
  } else {
    checks.push(mayDeploy, hasFreeNames);
    if (deployment.option("MCP_REGISTRATION_CLIENT_ID") === "") checks.push(hasFreeUniqueNames);
  }
  for (const check of checks) {
    try {
      await check(azure, deployment, findings);
    } catch (error) {
      if (error instanceof AzureError) {
        findings.notes.push(`Could not be checked (${error.message}).`);
        continue;
      }
      findings.problems.push(error instanceof Error ? error.message : "A check failed.");
      break;
    }
  }
  for (const note of findings.notes) console.log(`- ${note}`);
  for (const problem of findings.problems) console.error(`x ${problem}`);
  if (findings.problems.length === 0) console.log("Nothing stands in the way of the deployment.");
  else process.exitCode = 1;
}

/** Whether the deployer may create resource groups and give roles, anywhere in the subscription. */
async function mayDeploy(azure: Azure, { subscriptionId }: Deployment, { problems }: Findings): Promise<void> {
  const { value } = await azure.manage<{ value: readonly { actions: string[]; notActions: string[] }[] }>(
    `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/permissions?api-version=2022-04-01`,
  );
  const missing = RIGHTS_NEEDED.filter(
    (right) =>
      !value.some(
        ({ actions, notActions }) =>
          actions.some((pattern) => covers(pattern, right)) && !notActions.some((pattern) => covers(pattern, right)),
      ),
  );
  if (missing.length > 0) {
    problems.push(
      `You lack ${missing.join(" and ")} on the subscription. Be given Owner, or Contributor with Role Based Access Control Administrator.`,
    );
  }
}

/** Whether the deployer may make registrations in Entra ID. */
async function mayRegister(azure: Azure, _deployment: Deployment, { problems, notes }: Findings): Promise<void> {
  const { idtyp, roles = [], wids = [] } = await azure.graphClaims();
  if (idtyp === "app") {
    if (roles.includes("Application.ReadWrite.All")) return;
    problems.push(
      roles.includes("Application.ReadWrite.OwnedBy")
        ? "The pipeline has Application.ReadWrite.OwnedBy: it would make the registrations, but not own them, and fail in the second run. Grant it Application.ReadWrite.All."
        : "The pipeline may not make registrations. Grant it Application.ReadWrite.All of Microsoft Graph, or bring a registration: azd env set MCP_REGISTRATION_CLIENT_ID <client id>",
    );
    return;
  }
  if (wids.some((id) => id in ROLES_FOR_REGISTRATIONS)) return;
  const policy = await azure.graph<{ defaultUserRolePermissions?: { allowedToCreateApps?: boolean } }>(
    "/policies/authorizationPolicy?$select=defaultUserRolePermissions",
  );
  if (policy.defaultUserRolePermissions?.allowedToCreateApps === false) {
    problems.push(
      `Your tenant does not let you make registrations. Be given one of ${Object.values(ROLES_FOR_REGISTRATIONS).slice(1).join(", ")}, or bring a registration: azd env set MCP_REGISTRATION_CLIENT_ID <client id>`,
    );
    return;
  }
  notes.push(
    "You are no administrator: one has to consent to the Graph permissions afterwards. You will get the link.",
  );
}

/** Whether the names of vault, Content Safety account and gateway are free; takes back a vault that is in the bin. */
async function hasFreeNames(azure: Azure, deployment: Deployment, { problems, notes }: Findings): Promise<void> {
  // Names depend on the location: elsewhere the vault would be another one.
  const place = deployment.option("AZURE_LOCATION");
  const vault = (await findDeletedResources(azure, deployment, "vaults")).find(({ location }) => location === place);
  const mode = vault ? "recover" : "default";
  if (vault) notes.push(`The key vault ${vault.name} of an earlier deployment is taken back, with its signing key.`);
  if (mode !== (deployment.option("MCP_KEY_VAULT_CREATE_MODE") || "default")) {
    await setAzdValue("MCP_KEY_VAULT_CREATE_MODE", mode);
  }
  if (usesContentSafety(deployment.option)) {
    for (const { name, location } of await findDeletedResources(azure, deployment, "accounts")) {
      problems.push(
        `The deleted Content Safety account ${name} keeps its name. Purge it: az cognitiveservices account purge --name ${name} --resource-group ${deployment.resourceGroup} --location ${location}`,
      );
    }
  }
  if (isOn(deployment.option, "MCP_API_MANAGEMENT")) {
    for (const { name, location } of await findDeletedResources(azure, deployment, "gateways")) {
      problems.push(
        `The deleted API Management ${name} keeps its name. Purge it: az apim deletedservice purge --service-name ${name} --location "${location}"`,
      );
    }
  }
}

/** Whether the registrations' unique names are free, or the registrations there. */
async function hasFreeUniqueNames(azure: Azure, deployment: Deployment, { problems }: Findings): Promise<void> {
  for (const { displayName, deleted } of await findRegistrations(azure, deployment)) {
    if (!deleted) continue;
    problems.push(
      `The deleted registration "${displayName}" keeps its unique name for 30 days. Remove it for good: azd env set MCP_REMOVE_REGISTRATIONS true && azd hooks run postdown. Or restore it: Entra admin center, App registrations, Deleted applications.`,
    );
  }
}

/** Whether an action pattern of Azure, such as `Microsoft.Web/*`, covers an action. */
function covers(pattern: string, action: string): boolean {
  const source = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`).replaceAll("*", ".*");
  return new RegExp(`^${source}$`, "i").test(action);
}

await runHook(main);
