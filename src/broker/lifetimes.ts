// How long what the broker makes lasts, in milliseconds.

/** A grant, and everything that follows from it, at the longest. */
export const GRANT_MS = 30 * 24 * 60 * 60 * 1000;

/** An access token; also how long roles that were taken away still count. */
export const ACCESS_TOKEN_MS = 10 * 60 * 1000;

/** A person's time to sign in and decide. */
export const SIGN_IN_MS = 15 * 60 * 1000;

/** An authorization code. */
export const CODE_MS = 60 * 1000;

/** Entra's tokens of a code that nobody has redeemed: longer than the code, so that a redemption finds them. */
export const UNREDEEMED_MS = 5 * 60 * 1000;

/** Anybody can register: a client that no person let in by then is forgotten. */
export const REGISTRATION_MS = 60 * 60 * 1000;
