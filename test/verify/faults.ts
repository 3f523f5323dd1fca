import type { Fault, Passing, PassingAnswer } from "../support/faulty-proxy.ts";

/** The token that a request brings; "" without one. */
export function tokenOf({ headers }: Readonly<Passing>): string {
  return headers.authorization?.replace(/^Bearer /, "") ?? "";
}

/** A part of a token, whatever was sent as one. */
export function partOf(jwt: string, index: number): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(jwt.split(".")[index] ?? "", "base64url").toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** The header of a token. */
export function headerOf(jwt: string): Record<string, unknown> {
  return partOf(jwt, 0);
}

/** A server that takes some requests for ones with a good token. */
export function takes(isForgery: (passing: Passing) => boolean, goodToken: () => string): Fault {
  return {
    request(passing) {
      if (isForgery(passing)) passing.headers = { ...passing.headers, authorization: `Bearer ${goodToken()}` };
    },
  };
}

/** A server whose answers to some requests are wrong. */
export function answers(
  where: (passing: Readonly<Passing>) => boolean,
  change: (answer: PassingAnswer) => void,
): Fault {
  return {
    answer(answer, passing) {
      if (where(passing)) change(answer);
    },
  };
}

/** An answer of the front end's own. */
export function says(status: number, body = "", headers: PassingAnswer["headers"] = {}): PassingAnswer {
  return { status, headers, body };
}

/** Requests to one path. */
export function at(path: string): (passing: Readonly<Passing>) => boolean {
  return (passing) => passing.url === path;
}

/** Requests without a token. */
export function isAnonymous(passing: Readonly<Passing>): boolean {
  return !("authorization" in passing.headers);
}

/** Changes the JSON in an answer. */
export function inDocument(change: (document: Record<string, unknown>) => void): (answer: PassingAnswer) => void {
  return (answer) => {
    const document = JSON.parse(answer.body) as Record<string, unknown>;
    change(document);
    answer.body = JSON.stringify(document);
  };
}
