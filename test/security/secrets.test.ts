import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** A kind of secret: what it looks like, and one that never was valid, in pieces so that this file has none. */
interface Kind {
  readonly pattern: RegExp;
  readonly sample: string;
}

const ALPHABET = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0cD";
const filler = (length: number) => ALPHABET.repeat(Math.ceil(length / ALPHABET.length)).slice(0, length);

/** Keys that the emulators and tests need are made when they run: nothing has to be excepted here. */
const KINDS: Readonly<Record<string, Kind>> = {
  "private key": {
    pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----/,
    sample: ["-----BEGIN RSA ", "PRIVATE KEY-----"].join(""),
  },
  "private JWK": {
    pattern: /["']?\bd["']?\s*:\s*["'][\w-]{43,}["']/,
    sample: `"kty": "EC", "d": "${filler(43)}"`,
  },
  "client secret of Entra": {
    pattern: /\b[\w~.-]{3}\dQ~[\w~.-]{31,34}/,
    sample: ["aB38Q", filler(34)].join("~"),
  },
  "signed token": {
    pattern: /\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}/,
    sample: ["eyJ", filler(30), ".eyJ", filler(60), ".", filler(43)].join(""),
  },
  "refresh token of Entra": {
    pattern: /\b[01]\.A[\w-]{100,}/,
    sample: ["1.", "AX", filler(120)].join(""),
  },
  "key in a connection string": {
    pattern: /\b(?:AccountKey|SharedAccessKey|AccessKey|Pwd|Password)=[^\s;|"'`$<{]{8,}/i,
    sample: ["Endpoint=sb://contoso.servicebus.windows.net/;SharedAccessKey", filler(43)].join("="),
  },
  "key of Application Insights": {
    pattern: /\bInstrumentationKey=(?!0{8}-)[\da-f]{8}-[\da-f]{4}/i,
    sample: ["InstrumentationKey", "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9"].join("="),
  },
  "key of an Azure service": {
    pattern: /\b[A-Za-z\d]{52}JQQJ9|\b[A-Za-z\d+/]{33,}(?:AzCa|AzFu|AzSe|ACDb|APIM)[A-Za-z\d+/]{4,}/,
    sample: [filler(52), "JQQJ9", "9BKACYeBjFAAABAAABAZMU"].join(""),
  },
  "shared access signature": {
    pattern: /[?&]sig=[\w%+/-]{40,}/,
    sample: ["https://contoso.blob.core.windows.net/a?sv=2025-01-05&sig", filler(44)].join("="),
  },
  "token of GitHub": {
    pattern: /\b(?:gh[opsur]_[A-Za-z\d]{36}|github_pat_\w{40,})/,
    sample: ["ghp", filler(36)].join("_"),
  },
  "token of npm": {
    pattern: /\bnpm_[A-Za-z\d]{36}|_authToken=[\w-]{8,}/,
    sample: ["npm", filler(36)].join("_"),
  },
  "key of a language model": {
    pattern: /\bsk-(?:[a-z]+-)*[A-Za-z\d_-]{32,}/,
    sample: ["sk", "proj", filler(48)].join("-"),
  },
};
/** Files that exist to hold a key or a machine's own settings. */
const KEY_FILE =
  /(?:^|\/)(?:\.env(?!\.example$).*|\.npmrc|id_(?:rsa|ecdsa|ed25519)|.*\.(?:pem|pfx|p12|key|jks|publishsettings))$/;

const isRepository = existsSync(join(ROOT, ".git"));
const hint = isRepository ? "" : " (not a Git repository)";

/** What is in the repository, or would be after `git add`. */
function listFiles(): string[] {
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: ROOT });
  return [...new Set(list.toString().split("\0"))].filter((file) => file !== "" && existsSync(join(ROOT, file)));
}

describe.each(Object.entries(KINDS))("%s", (_name, { pattern, sample }) => {
  test("is recognized", () => {
    expect(`first line\n  value: ${sample}\n`).toMatch(pattern);
  });
});

describe.skipIf(!isRepository && process.env["REQUIRE_ALL"] !== "1")(`the repository${hint}`, () => {
  test("has no secret in any file", () => {
    const files = listFiles();
    expect(files).toContain("package.json");
    const found = files.flatMap((file) => {
      const lines = readFileSync(join(ROOT, file), "latin1").split("\n");
      // The place and the kind: what was found would end up in a log.
      return lines.flatMap((line, index) =>
        Object.entries(KINDS).flatMap(([name, { pattern }]) =>
          pattern.test(line) ? `${file}:${index + 1} ${name}` : [],
        ),
      );
    });
    expect(found).toEqual([]);
  });

  test("has no file that is there to hold one", () => {
    expect(listFiles().filter((file) => KEY_FILE.test(file))).toEqual([]);
    expect(
      [".env", "a/.env.local", ".npmrc", "certs/server.pem", "id_rsa"].filter((file) => !KEY_FILE.test(file)),
    ).toEqual([]);
    expect(KEY_FILE.test(".env.example")).toBe(false);
  });
});
