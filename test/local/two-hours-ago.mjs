// Preloaded into a server: its clock is two hours behind, so that others find every token that it kept expired.
const BEHIND_MS = 2 * 60 * 60 * 1000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() - BEHIND_MS] : args));
  }
  static now() {
    return RealDate.now() - BEHIND_MS;
  }
};
