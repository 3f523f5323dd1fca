import type { Option } from "./deployment.ts";
import { isOn, usesContentSafety } from "./options.ts";

/** One line of what a deployment costs. */
export interface Cost {
  readonly what: string;
  /** US dollars per month, or what they depend on. */
  readonly monthly: string;
}

// List prices of East US in 2026, rounded; nobody is billed by this table.
const PLANS: Readonly<Record<string, string>> = {
  B1: "13",
  B2: "25",
  B3: "50",
  P0v3: "60",
  P1v3: "115",
  P2v3: "230",
  P3v3: "460",
};

/** Lists what the chosen options cost, without data transfer and what is used beyond the free amounts. */
export function costsOf(option: Option): readonly Cost[] {
  const isPrivate = isOn(option, "MCP_PRIVATE_NETWORK");
  const sku = option("SERVICE_MCP_PLAN_SKU");
  const endpoints =
    3 +
    Number(usesContentSafety(option)) +
    Number(isOn(option, "MCP_REDIS")) +
    Number(isOn(option, "MCP_STAGING_SLOT"));
  const costs: (Cost | false)[] = [
    {
      what: `App Service plan ${sku}, each instance (at most ${option("MCP_MAXIMUM_INSTANCES") || "1"})`,
      monthly: PLANS[sku] ?? "?",
    },
    { what: "Log Analytics: 2.30 a GB, from the sixth on", monthly: "usage" },
    { what: "Key Vault: 0.03 for 10,000 reads", monthly: "usage" },
    option("MCP_ALERTS").toLowerCase() !== "false" && { what: "Alerts: five rules at 1.50", monthly: "8" },
    isPrivate && {
      what: `Private endpoints: ${endpoints} at 7.30, and their DNS zones`,
      monthly: String(Math.round(endpoints * 7.3 + 4)),
    },
    usesContentSafety(option) && { what: "Content Safety: 0.38 for 1,000 texts", monthly: "usage" },
    isOn(option, "MCP_REDIS") && { what: "Azure Managed Redis, Balanced B0, two nodes", monthly: "26" },
    isOn(option, "MCP_API_MANAGEMENT") && {
      what: `API Management, ${isPrivate ? "Standard v2" : "Basic v2"}`,
      monthly: isPrivate ? "700" : "150",
    },
    isOn(option, "MCP_SENTINEL") && {
      what: "Microsoft Sentinel: about as much as Log Analytics again",
      monthly: "usage",
    },
  ];
  return costs.filter((cost) => cost !== false);
}
