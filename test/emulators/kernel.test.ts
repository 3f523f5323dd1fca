import express from "express";
import { expect, inject, test } from "vitest";
import { listen, PortBusyError } from "../../emulators/kernel/listener.ts";
import { Traffic } from "../../emulators/kernel/traffic.ts";

test("an https listener with the throw-away authority is trusted by fetch in a worker", async () => {
  const server = await listen("test", (_req, res) => res.end("hello"), { certificates: inject("certificates") });
  const response = await fetch(server.origin);
  expect(await response.text()).toBe("hello");
  expect(server.origin).toBe(`https://localhost:${server.port}`);
  await server.close();
});

test("a busy port is named together with who wanted it", async () => {
  const holder = await listen("holder", (_req, res) => res.end());
  const second = listen("the Graph emulator", (_req, res) => res.end(), { port: holder.port });
  await expect(second).rejects.toThrow(`Port ${holder.port}, wanted by the Graph emulator, is in use.`);
  await expect(second).rejects.toBeInstanceOf(PortBusyError);
  await holder.close();
});

test("an armed fault hits the number of matching requests that it was armed for, and is recorded", async () => {
  const traffic = new Traffic();
  const app = express().use(traffic.middleware, (_req, res) => {
    res.send("fine");
  });
  const server = await listen("test", app);
  traffic.fail({ kind: "status", status: 503, headers: { "retry-after": "7" } }, { times: 1, path: /^\/a/ });

  const other = await fetch(`${server.origin}/b`);
  const hit = await fetch(`${server.origin}/a?x=1`);
  const after = await fetch(`${server.origin}/a`);

  expect([other.status, hit.status, after.status]).toEqual([200, 503, 200]);
  expect(hit.headers.get("retry-after")).toBe("7");
  expect(traffic.count("GET", /^\/a/)).toBe(2);
  await server.close();
});
