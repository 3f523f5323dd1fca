import { generate } from "selfsigned";

/** A throw-away certificate authority and one server certificate for localhost, signed by it. PEM strings. */
export interface Certificates {
  /** What a client must trust: `NODE_EXTRA_CA_CERTS` of a child process points to a file that holds it. */
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

/**
 * Makes new certificates for `localhost` and 127.0.0.1, valid for a month.
 *
 * The authority's private key is forgotten at once, so nobody can issue another certificate under it.
 */
export async function createCertificates(): Promise<Certificates> {
  const notAfterDate = new Date(Date.now() + 30 * 24 * 60 * 60 * 1000);
  const authority = await generate([{ name: "commonName", value: "azure-graph-mcp local cloud (throw-away CA)" }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate,
    ca: { key: authority.private, cert: authority.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: "localhost" },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
  return { ca: authority.cert, key: server.private, cert: server.cert };
}
