/** Why a file has no text to be had. */
export type Reason = "damaged" | "protected" | "excessive" | "slow" | "large" | "binary" | "unsupported";

/** A file whose text can't be had. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
  readonly reason: Reason;

  constructor(reason: Reason, options?: ErrorOptions) {
    super(reason, options);
    this.reason = reason;
  }
}
