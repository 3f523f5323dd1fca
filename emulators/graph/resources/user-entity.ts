import type { User } from "../../directory.ts";
import type { Caller } from "../caller.ts";
import { GraphFailure } from "../failure.ts";
import type { SearchRules } from "../odata/directory-search.ts";
import type { Row, Schema } from "../odata/schema.ts";

/** Any of these lets a caller read every property of every user. */
export const READ_ALL_USERS = ["User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"];

/** Any of these lets a user read their own profile. */
export const READ_OWN_PROFILE = ["User.Read", "User.ReadWrite"];

/** What Graph returns of a user that was asked for without `$select`. */
export const DEFAULT_USER_SELECTION = [
  "businessPhones",
  "displayName",
  "givenName",
  "id",
  "jobTitle",
  "mail",
  "mobilePhone",
  "officeLocation",
  "preferredLanguage",
  "surname",
  "userPrincipalName",
];

/** All that `User.ReadBasic.All` shows of other users. */
const BASIC_PROPERTIES = new Set(["id", "displayName", "givenName", "surname", "mail", "userPrincipalName"]);

/** Kept in SharePoint, so only a request for one user can select them; the sample data has none. */
const PROFILE_PROPERTIES = ["aboutMe", "birthday", "hireDate", "interests", "mySite", "responsibilities", "skills"];

/** The directory's schema of a user, with its rules for `$search`. */
export const USER: Schema & SearchRules = {
  type: "microsoft.graph.user",
  properties: new Set([...DEFAULT_USER_SELECTION, "department", "userType", ...PROFILE_PROPERTIES]),
  searchable: new Set(["displayName", "givenName", "surname", "mail", "userPrincipalName"]),
  tokenized: new Set(["displayName"]),
};

/** Refuses a collection query that selects what only a single user has (501). */
export function refuseProfileSelection(selection: string | undefined): void {
  const refused = selection?.split(",").find((name) => PROFILE_PROPERTIES.includes(name.trim()));
  if (refused === undefined) return;
  throw new GraphFailure(501, "NotImplemented", `Property '${refused.trim()}' cannot be selected on a collection.`);
}

/** The user as this caller may see them: what is hidden is null, a hidden collection empty. */
export function userEntity(user: User, { objectId, permissions }: Caller): Row {
  const readable = user.id === objectId ? [...READ_OWN_PROFILE, ...READ_ALL_USERS] : READ_ALL_USERS;
  const full = readable.some((permission) => permissions.has(permission));
  const { businessPhones, managerId: _manager, mailbox: _mailbox, signIn: _signIn, ...properties } = user;
  const visible = Object.entries(properties).map(([name, value]) => [
    name,
    full || BASIC_PROPERTIES.has(name) ? value : null,
  ]);
  const profile = PROFILE_PROPERTIES.map((name) => [name, null]);
  return { ...Object.fromEntries([...profile, ...visible]), businessPhones: full ? businessPhones : [] };
}
