import { describe, expect, test } from "vitest";
import { checkNextLink } from "../../src/graph/paging.ts";

const GRAPH = new URL("https://graph.microsoft.com");

describe("next link", () => {
  test.each([
    "https://graph.microsoft.com/v1.0/users?$skiptoken=RFNwdAIAAQAAACg6",
    "https://graph.microsoft.com/v1.0/me/messages?%24skip=10&$select=id,subject",
    "https://graph.microsoft.com/v1.0/users?$skiptoken=X%27445370740200010000%27&a=%2e%2e",
  ])("that stays on Graph is returned as it is: %s", (link) => {
    expect(checkNextLink(link, GRAPH)).toBe(link);
  });

  test("in another spelling of the same URL is returned in the usual one", () => {
    expect(checkNextLink("HTTPS://Graph.Microsoft.com:443/v1.0/me/../users?$skiptoken=X'44'", GRAPH)).toBe(
      "https://graph.microsoft.com/v1.0/users?$skiptoken=X%2744%27",
    );
  });

  test.each([
    ["to another host", "https://evil.example/v1.0/users"],
    ["to another port", "https://graph.microsoft.com:8443/v1.0/users"],
    ["without TLS", "http://graph.microsoft.com/v1.0/users"],
    ["to a host that begins like Graph's", "https://graph.microsoft.com.evil.example/v1.0/users"],
    ["to a host that ends like Graph's", "https://evil-graph.microsoft.com/v1.0/users"],
    ["that only looks like Graph before the @", "https://graph.microsoft.com@evil.example/v1.0/users"],
    ["with a user name", "https://someone@graph.microsoft.com/v1.0/users"],
    ["with a password", "https://:word@graph.microsoft.com/v1.0/users"],
    ["to another version", "https://graph.microsoft.com/beta/users"],
    ["to a version that begins alike", "https://graph.microsoft.com/v1.0beta/users"],
    ["to the root", "https://graph.microsoft.com/"],
    ["that climbs out", "https://graph.microsoft.com/v1.0/../beta/users"],
    ["that climbs out encoded", "https://graph.microsoft.com/v1.0/%2e%2e/beta/users"],
    ["that climbs out with backslashes", "https://graph.microsoft.com/v1.0/..\\beta/users"],
    ["that is relative", "/v1.0/users?$skiptoken=a"],
    ["that leaves the scheme open", "//evil.example/v1.0/users"],
    ["of another scheme", "file:///v1.0/users"],
    ["that is data", "data:text/plain,/v1.0/"],
    ["to instance metadata", "http://169.254.169.254/v1.0/users"],
    ["that is empty", ""],
    ["that is no URL", "https://"],
  ])("%s is refused", (_where, link) => {
    expect(() => checkNextLink(link, GRAPH)).toThrow(
      expect.objectContaining({ name: "GraphFailure", status: 0, code: "ForeignNextLink" }),
    );
  });

  test("is compared with the configured Graph, not with Microsoft's", () => {
    const local = new URL("https://localhost:3003");

    expect(checkNextLink("https://localhost:3003/v1.0/users?$skiptoken=a", local)).toBe(
      "https://localhost:3003/v1.0/users?$skiptoken=a",
    );
    expect(() => checkNextLink("https://graph.microsoft.com/v1.0/users", local)).toThrow("ForeignNextLink");
  });
});
