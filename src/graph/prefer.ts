/** What Exchange is asked to do with its answer. */
export interface Preferences {
  /** Bodies as plain text instead of HTML. */
  readonly text?: boolean;
  /** Ids that stay the same when an item is moved; the choice counts for one request. */
  readonly immutableIds?: boolean;
  /** Windows name of the time zone that event times are given in; UTC otherwise. */
  readonly timezone?: string | undefined;
}

/** Renders preferences as the one `Prefer` header that Outlook reads. Source: Microsoft Graph, "Get immutable identifiers". */
export function prefer({ text, immutableIds, timezone }: Preferences): Readonly<Record<string, string>> {
  const values = [
    text && 'outlook.body-content-type="text"',
    immutableIds && 'IdType="ImmutableId"',
    timezone && `outlook.timezone="${timezone.replace(/[\\"]/g, "")}"`,
  ].filter(Boolean);
  return values.length > 0 ? { Prefer: values.join(", ") } : {};
}
