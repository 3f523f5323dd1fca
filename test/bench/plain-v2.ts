import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import express from "express";
import { callGraph, plainTools } from "./plain-tools.ts";

// The server of the SDK's guide: no authentication, no policy, no limits.
const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "plain", version: "1.0.0" });
  for (const { name, ...definition } of plainTools) server.registerTool(name, definition, callGraph);
  return server;
});
const app = express();
const mcp = toNodeHandler(handler);
app.all("/mcp", (req, res) => void mcp(req, res));
app.listen(Number(process.env["PORT"]), "127.0.0.1");
