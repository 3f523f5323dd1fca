import type { Option } from "./deployment.ts";

/** What does not work, and what is good to know, about the options of a deployment. */
export interface OptionFindings {
  readonly problems: readonly string[];
  readonly notes: readonly string[];
}

const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i;
const SWITCHES = [
  "MCP_ALLOW_WRITES",
  "MCP_ASSIGNMENT_REQUIRED",
  "MCP_GRANT_ADMIN_CONSENT",
  "MCP_BROKER",
  "MCP_PUBLIC_LANDING_PAGE",
  "MCP_PRIVATE_NETWORK",
  "MCP_PROMPT_SHIELDS_ARGUMENTS",
  "MCP_REDIS",
  "MCP_STAGING_SLOT",
  "MCP_API_MANAGEMENT",
  "MCP_ALERTS",
  "MCP_SENTINEL",
];
const ID_LISTS = ["MCP_WRITERS", "MCP_ALLOWED_CLIENT_IDS", "MCP_REGISTRATION_CLIENT_ID"];

/** Whether a switch is on, however its letters are written. */
export function isOn(option: Option, name: string): boolean {
  return option(name).toLowerCase() === "true";
}

/** Whether the options include an account of Azure AI Content Safety. */
export function usesContentSafety(option: Option): boolean {
  return ["annotate", "block"].includes(option("MCP_PROMPT_SHIELDS"));
}

/** Checks options of main.parameters.json that main.bicep would refuse or that do less than they seem to. */
export function checkOptions(option: Option): OptionFindings {
  return { problems: problemsOf(option), notes: notesOf(option) };
}

const instancesOf = (option: Option) => Number(option("MCP_MAXIMUM_INSTANCES") || "1");

function problemsOf(option: Option): readonly string[] {
  const problems: string[] = [];
  const instances = instancesOf(option);
  for (const name of SWITCHES) {
    if (!["", "true", "false"].includes(option(name).toLowerCase())) problems.push(`${name} must be true or false.`);
  }
  if (!["", "off", "annotate", "block"].includes(option("MCP_PROMPT_SHIELDS"))) {
    problems.push("MCP_PROMPT_SHIELDS must be off, annotate or block.");
  }
  if (isOn(option, "MCP_PROMPT_SHIELDS_ARGUMENTS") && !usesContentSafety(option)) {
    problems.push("MCP_PROMPT_SHIELDS_ARGUMENTS needs Prompt Shields: azd env set MCP_PROMPT_SHIELDS annotate");
  }
  for (const name of ID_LISTS) {
    const ids = option(name)
      .split(",")
      .flatMap((id) => id.trim() || []);
    if (!ids.every((id) => GUID.test(id))) problems.push(`${name} must be GUIDs, separated by commas.`);
  }
  if (!Number.isInteger(instances) || instances < 1 || instances > 30) {
    problems.push("MCP_MAXIMUM_INSTANCES must be a whole number from 1 to 30.");
  }
  if (isOn(option, "MCP_API_MANAGEMENT") && option("MCP_CUSTOM_DOMAIN") !== "") {
    problems.push(
      "MCP_CUSTOM_DOMAIN is the site's; with MCP_API_MANAGEMENT clients do not call the site. Leave one out.",
    );
  }
  if (isOn(option, "MCP_API_MANAGEMENT") && option("MCP_CONTACT_EMAIL") === "") {
    problems.push("MCP_API_MANAGEMENT needs an address: azd env set MCP_CONTACT_EMAIL <address>");
  }
  if (isOn(option, "MCP_API_MANAGEMENT") && isOn(option, "MCP_BROKER")) {
    problems.push(
      "MCP_API_MANAGEMENT lets tokens of Entra ID through only; with MCP_BROKER clients have the server's own. Leave one out.",
    );
  }
  if (isOn(option, "MCP_BROKER") && instances > 1 && !isOn(option, "MCP_REDIS")) {
    problems.push(
      "MCP_BROKER on several instances keeps its sign-ins in Redis: azd env set MCP_REDIS true, or MCP_MAXIMUM_INSTANCES 1",
    );
  }
  if (isOn(option, "MCP_PRIVATE_NETWORK") && option("MCP_CUSTOM_DOMAIN") !== "") {
    problems.push(
      "App Service renews certificates of public sites only: no MCP_CUSTOM_DOMAIN with MCP_PRIVATE_NETWORK.",
    );
  }
  if (option("MCP_PLAN_SKU").startsWith("B") && (isOn(option, "MCP_STAGING_SLOT") || instances > 1)) {
    problems.push("MCP_STAGING_SLOT and MCP_MAXIMUM_INSTANCES need a larger plan: azd env set MCP_PLAN_SKU P0v3");
  }
  return problems;
}

function notesOf(option: Option): readonly string[] {
  const notes: string[] = [];
  if (isOn(option, "MCP_PRIVATE_NETWORK") && option("MCP_DEPLOYMENT_ADDRESSES") === "") {
    notes.push(
      "The site will be private: `azd deploy` has to run inside the network, or from MCP_DEPLOYMENT_ADDRESSES (CIDR ranges).",
    );
  }
  if (instancesOf(option) > 1 && !isOn(option, "MCP_REDIS") && !isOn(option, "MCP_BROKER")) {
    notes.push("Several instances without MCP_REDIS: clients of the 2025 protocol cannot be asked anything.");
  }
  if (isOn(option, "MCP_ALLOW_WRITES") && option("MCP_WRITERS") === "") {
    notes.push("Nobody has the app role Mcp.Write yet: azd env set MCP_WRITERS <object ids of users or groups>");
  }
  if (isOn(option, "MCP_BROKER")) notes.push(...brokerNotes(option));
  if (isOn(option, "MCP_PUBLIC_LANDING_PAGE") && !isOn(option, "MCP_BROKER")) {
    notes.push(
      "MCP_PUBLIC_LANDING_PAGE excludes / from App Service Authentication: `npm run verify -- <url>` says whether only that.",
    );
  }
  if (isOn(option, "MCP_STAGING_SLOT")) {
    notes.push("azd deploys to the slot that AZD_DEPLOY_MCP_SLOT_NAME names: staging or production.");
  }
  if (option("MCP_CUSTOM_DOMAIN") !== "") {
    notes.push("The records of MCP_CUSTOM_DOMAIN must exist: a first deployment without it prints them.");
  }
  return notes;
}

function brokerNotes(option: Option): readonly string[] {
  const notes: string[] = [];
  if (!isOn(option, "MCP_REDIS")) notes.push("MCP_BROKER without MCP_REDIS: a restart signs everybody out.");
  if (option("MCP_CLIENT_REDIRECT_URIS") !== "" || option("MCP_ALLOWED_CLIENT_IDS") !== "") {
    notes.push(
      "With MCP_BROKER clients register themselves: MCP_CLIENT_REDIRECT_URIS and MCP_ALLOWED_CLIENT_IDS do nothing.",
    );
  }
  return notes;
}
