import type { User, WorkingHours } from "../directory.ts";

const workingHours = (timeZone: string): WorkingHours => ({
  daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
  startTime: "08:00:00.0000000",
  endTime: "17:00:00.0000000",
  timeZone: { name: timeZone },
});

const user = (id: string, alias: string, givenName: string, surname: string, rest: Partial<User> = {}): User => ({
  id,
  displayName: `${givenName} ${surname}`,
  givenName,
  surname,
  userPrincipalName: `${alias}@contoso.com`,
  mail: `${alias}@contoso.com`,
  userType: "Member",
  jobTitle: null,
  department: null,
  officeLocation: null,
  preferredLanguage: "en-US",
  businessPhones: [],
  mobilePhone: null,
  managerId: null,
  mailbox: { timeZone: "Pacific Standard Time", workingHours: workingHours("Pacific Standard Time") },
  ...rest,
});

/** Users that stand for a kind of sign-in. */
export const people = {
  /** Everything works. */
  normal: user("87d349ed-44d7-43e1-9a83-5f2406dee5bd", "AdeleV", "Adele", "Vance"),
  /** On-behalf-of wants multi-factor authentication (AADSTS50076). */
  needsMfa: user("48d31887-5fad-4d73-a9f5-3c356e68a038", "MeganB", "Megan", "Bowen", { signIn: { requiresMfa: true } }),
  /** Nobody consented to Graph for this user (AADSTS65001). */
  noConsent: user("5bde3e51-d13b-4db1-9948-fe4b109d11a7", "LeeG", "Lee", "Gu"),
  /** Has no app role: read tools only. */
  noRole: user("40079818-3808-4585-903b-02605f061225", "DiegoS", "Diego", "Siciliani"),
  /** A guest of another organisation, without a mailbox. */
  guest: user("ec63c778-24e1-4240-bea3-d12a167d5232", "sam", "Sam", "Jenkins", {
    userType: "Guest",
    userPrincipalName: "sam_fabrikam.com#EXT#@contoso.com",
    mail: "sam@fabrikam.com",
    mailbox: null,
  }),
} as const;

export const users: readonly User[] = Object.values(people);
