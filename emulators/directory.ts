import type { Calendar } from "./calendar.ts";
import type { Chat } from "./chat.ts";
import type { Drive } from "./drive.ts";
import type { Mailbox } from "./mailbox.ts";
import type { TaskList } from "./todo.ts";

/**
 * The vocabulary that the emulators share: a tenant, its users, its app registrations and who consented to what.
 *
 * Plain data. The Entra emulator signs users in from it, the Graph emulator serves the same users.
 */

/** One user of a tenant, with what Graph returns of them and how their sign-in behaves. */
export interface User {
  /** Object id (`oid`), a GUID. */
  readonly id: string;
  readonly displayName: string;
  readonly givenName: string;
  readonly surname: string;
  readonly userPrincipalName: string;
  readonly mail: string | null;
  readonly userType: "Member" | "Guest";
  readonly jobTitle: string | null;
  readonly department: string | null;
  readonly officeLocation: string | null;
  readonly preferredLanguage: string | null;
  readonly businessPhones: readonly string[];
  readonly mobilePhone: string | null;
  readonly managerId: string | null;
  /** Mailbox settings; null for a user without a mailbox. `timeZone` is a Windows zone name. */
  readonly mailbox: { readonly timeZone: string; readonly workingHours: WorkingHours } | null;
  /** What is special about this user's sign-in; absent means nothing. */
  readonly signIn?: {
    /** On-behalf-of answers AADSTS50076 with a claims challenge until the user did multi-factor authentication. */
    readonly requiresMfa?: boolean;
  };
}

/** Graph's `workingHours` resource. */
export interface WorkingHours {
  readonly daysOfWeek: readonly string[];
  readonly startTime: string;
  readonly endTime: string;
  readonly timeZone: { readonly name: string };
}

/** One app registration with its service principal in the tenant. */
export interface AppRegistration {
  readonly appId: string;
  readonly displayName: string;
  identifierUris: string[];
  /** null counts as 1, as in Entra. */
  requestedAccessTokenVersion: 1 | 2 | null;
  /** Delegated permissions that this app offers (`oauth2PermissionScopes`). */
  scopes: { readonly value: string; readonly description: string; readonly adminConsentRequired?: boolean }[];
  appRoles: { readonly value: string; readonly description: string }[];
  /** Redirect URIs by platform. */
  redirectUris: {
    readonly public: readonly string[];
    readonly web: readonly string[];
    readonly spa: readonly string[];
  };
  /** What the app asks of other resources; an administrator consents to all of it at once. */
  readonly requiredResourceAccess?: readonly { readonly resourceAppId: string; readonly scopes: readonly string[] }[];
  isFallbackPublicClient?: boolean;
  enableIdTokenIssuance?: boolean;
  /** A client secret, only so that the emulator can refuse it where Entra does. */
  secret?: string;
  preAuthorizedApplications: { readonly appId: string; readonly scopes: readonly string[] }[];
  federatedIdentityCredentials: FederatedIdentityCredential[];
  /** Only assigned users get a token (AADSTS50105). */
  appRoleAssignmentRequired?: boolean;
}

/** Who may act as the app without a secret. Wrong values are accepted here and fail at the token request, as in Entra. */
export interface FederatedIdentityCredential {
  readonly name: string;
  readonly issuer: string;
  /** The managed identity's principal id; compared case-sensitively. */
  readonly subject: string;
  readonly audiences: readonly string[];
}

/** Consent: `client` may use `scopes` of `resource` for one user, or for all (administrator). */
export interface PermissionGrant {
  readonly clientAppId: string;
  readonly resourceAppId: string;
  /** Object id of the user, or `all` for a grant by an administrator. */
  readonly userId: string;
  readonly scopes: readonly string[];
}

/** An app role of `resourceAppId` assigned to a user. */
export interface RoleAssignment {
  readonly userId: string;
  readonly resourceAppId: string;
  readonly role: string;
}

/** A user-assigned managed identity. */
export interface ManagedIdentity {
  readonly clientId: string;
  /** Object id of its service principal: `sub` and `oid` of its tokens. */
  readonly principalId: string;
}

/** One Entra tenant. Mutable, so that a test can add a grant, rename an identifier URI or unassign a role. */
export interface Tenant {
  readonly id: string;
  readonly displayName: string;
  readonly verifiedDomains: readonly string[];
  readonly users: User[];
  readonly applications: AppRegistration[];
  grants: PermissionGrant[];
  roleAssignments: RoleAssignment[];
  readonly managedIdentities: ManagedIdentity[];
  readonly drives: Drive[];
  /** Those that moved last come first. */
  readonly chats: Chat[];
  /** Mail by the object id of its user. */
  readonly mailboxes: Map<string, Mailbox>;
  /** Lists of Microsoft To Do by the object id of their owner. */
  readonly taskLists: Map<string, TaskList[]>;
  /** Everybody's calendar, as it is around a day. */
  readonly calendarAround: (today: Date) => Calendar;
  /** Users may not consent for themselves: `prompt=consent` is answered with AADSTS90095. */
  userConsentRestricted?: boolean;
}

/** App id of Microsoft Graph in every tenant. */
export const MICROSOFT_GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000";
