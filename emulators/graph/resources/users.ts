import type { User } from "../../directory.ts";
import type { Answer } from "../answer.ts";
import { listDirectoryObjects } from "../directory-collection.ts";
import { directoryBadRequest, requestDenied, resourceNotFound } from "../failure.ts";
import type { Row } from "../odata/schema.ts";
import { contextSelection, parseSelect, project } from "../odata/select.ts";
import { type Call, defineRoute, type Route } from "../route.ts";
import {
  DEFAULT_USER_SELECTION,
  READ_ALL_USERS,
  READ_OWN_PROFILE,
  refuseProfileSelection,
  USER,
  userEntity,
} from "./user-entity.ts";

const READ_BASIC = "User.ReadBasic.All";

const DIRECTORY_OBJECT = { "@odata.type": "#microsoft.graph.user" };

const COLLECTION_OPTIONS = ["$select", "$filter", "$search", "$orderby", "$top", "$skiptoken", "$count"] as const;

/** The signed-in user. */
export function me({ tenant, caller }: Call): User {
  const user = tenant.users.find(({ id }) => id === caller.objectId);
  if (!user) throw resourceNotFound(caller.objectId);
  return user;
}

/** The user with this object id or user principal name, neither of which is case-sensitive. */
function userByKey({ tenant }: Call, key: string): User {
  if (!/^[\p{L}\p{N}._'#@!^~+-]{1,256}$/u.test(key)) {
    throw directoryBadRequest(`Invalid object identifier '${key.slice(0, 100)}'.`);
  }
  const wanted = key.toLowerCase();
  const user = tenant.users.find(
    ({ id, userPrincipalName }) => id.toLowerCase() === wanted || userPrincipalName.toLowerCase() === wanted,
  );
  if (!user) throw resourceNotFound(key);
  return user;
}

function entity(call: Call, user: User, context: string, annotations: Row = {}): Answer {
  const selection = parseSelect(call.options, USER);
  const body = {
    "@odata.context": `${call.origin}/v1.0/$metadata#${context}${contextSelection(selection)}/$entity`,
    ...project(userEntity(user, call.caller), selection ?? DEFAULT_USER_SELECTION, annotations),
  };
  return { status: 200, body };
}

function managerOf(call: Call, user: User): Answer {
  const manager = call.tenant.users.find(({ id }) => id === user.managerId);
  if (!manager) throw resourceNotFound("manager");
  return entity(call, manager, "directoryObjects", DIRECTORY_OBJECT);
}

function list(call: Call, users: readonly User[], context: string, annotations: Row = {}): Answer {
  refuseProfileSelection(call.options.get("$select"));
  return listDirectoryObjects(call, {
    rows: users.map((user) => userEntity(user, call.caller)),
    schema: USER,
    defaultSelection: DEFAULT_USER_SELECTION,
    context,
    annotations,
  });
}

function directReportsOf(call: Call, user: User): Answer {
  const reports = call.tenant.users.filter(({ managerId }) => managerId === user.id);
  return list(call, reports, "directoryObjects", DIRECTORY_OBJECT);
}

const directory = { method: "GET", service: "directory" } as const;
const oneUser = { ...directory, options: ["$select"] } as const;
const directReports = {
  ...directory,
  permissions: [...READ_OWN_PROFILE, ...READ_ALL_USERS],
  options: COLLECTION_OPTIONS,
} as const;

/** Users, their managers and their direct reports. */
export const userRoutes: readonly Route[] = [
  defineRoute({
    ...oneUser,
    path: "/me",
    permissions: [...READ_OWN_PROFILE, READ_BASIC, ...READ_ALL_USERS],
    handle: (call) => entity(call, me(call), "users"),
  }),
  defineRoute({
    ...directory,
    path: "/users",
    permissions: [READ_BASIC, ...READ_ALL_USERS],
    options: COLLECTION_OPTIONS,
    resourceUnits: 2,
    handle: (call) => list(call, call.tenant.users, "users"),
  }),
  defineRoute({
    ...oneUser,
    path: "/users/{id}",
    permissions: [...READ_OWN_PROFILE, READ_BASIC, ...READ_ALL_USERS],
    handle(call) {
      const user = userByKey(call, call.parameters.id);
      const others = [READ_BASIC, ...READ_ALL_USERS].some((permission) => call.caller.permissions.has(permission));
      if (user.id !== call.caller.objectId && !others) throw requestDenied();
      return entity(call, user, "users");
    },
  }),
  defineRoute({
    ...oneUser,
    path: "/me/manager",
    permissions: READ_ALL_USERS,
    handle: (call) => managerOf(call, me(call)),
  }),
  defineRoute({
    ...oneUser,
    path: "/users/{id}/manager",
    permissions: READ_ALL_USERS,
    handle: (call) => managerOf(call, userByKey(call, call.parameters.id)),
  }),
  defineRoute({ ...directReports, path: "/me/directReports", handle: (call) => directReportsOf(call, me(call)) }),
  defineRoute({
    ...directReports,
    path: "/users/{id}/directReports",
    handle: (call) => directReportsOf(call, userByKey(call, call.parameters.id)),
  }),
];
