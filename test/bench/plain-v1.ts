import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import express, { type RequestHandler } from "express";
import { callGraph, plainTools } from "./plain-tools.ts";

// The stateless server of SDK v1's guide: a server and a transport per request.
const serve: RequestHandler = async (req, res) => {
  const server = new McpServer({ name: "plain", version: "1.0.0" });
  for (const { name, description, inputSchema, outputSchema } of plainTools) {
    const definition = { description, inputSchema: inputSchema.shape, outputSchema: outputSchema.shape };
    server.registerTool(name, definition as Parameters<typeof server.registerTool>[1], callGraph);
  }
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  res.on("close", () => void Promise.all([transport.close(), server.close()]));
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
};
const app = express();
app.use(express.json());
app.post("/mcp", serve);
app.listen(Number(process.env["PORT"]), "127.0.0.1");
