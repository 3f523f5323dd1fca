// Preloaded into a server: its clock is two hours ahead, so that every token that it knows has expired.
const AHEAD_MS = 2 * 60 * 60 * 1000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + AHEAD_MS] : args));
  }
  static now() {
    return RealDate.now() + AHEAD_MS;
  }
};
