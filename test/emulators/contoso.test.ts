import { expect, test } from "vitest";
import { people, users } from "../../emulators/contoso/users.ts";

const byId = new Map(users.map((user) => [user.id, user]));

test("the sample users are enough to search and page, with unique ids and user principal names", () => {
  expect(users).toHaveLength(37);
  expect(new Set(users.map(({ id }) => id)).size).toBe(37);
  expect(new Set(users.map(({ userPrincipalName }) => userPrincipalName.toLowerCase())).size).toBe(37);
  for (const { id } of users) expect(id).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  expect(users.filter(({ department }) => department === "Engineering")).toHaveLength(8);
  expect(users.filter(({ givenName }) => givenName === "Alex")).toHaveLength(2);
});

test("a line of the sample table becomes a user with every property in its place", () => {
  expect(people.normal).toEqual({
    id: "87d349ed-44d7-43e1-9a83-5f2406dee5bd",
    displayName: "Adele Vance",
    givenName: "Adele",
    surname: "Vance",
    userPrincipalName: "AdeleV@contoso.com",
    mail: "AdeleV@contoso.com",
    userType: "Member",
    jobTitle: "Retail Manager",
    department: "Retail",
    officeLocation: "18/2111",
    preferredLanguage: "en-US",
    businessPhones: ["+1 425 555 0107"],
    mobilePhone: null,
    managerId: "5bde3e51-d13b-4db1-9948-fe4b109d11a7",
    mailbox: {
      timeZone: "Pacific Standard Time",
      workingHours: {
        daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
        startTime: "08:00:00.0000000",
        endTime: "17:00:00.0000000",
        timeZone: { name: "Pacific Standard Time" },
      },
    },
  });
});

test("everybody has a manager in the tenant, except the president and the guest", () => {
  const withoutManager = users.filter(({ managerId }) => managerId === null || !byId.has(managerId));
  expect(withoutManager.map(({ displayName }) => displayName)).toEqual(["Patti Fernandez", "Sam Jenkins"]);
});

test("following the managers upwards ends at the president: there is no circle", () => {
  for (const user of users.filter(({ userType }) => userType === "Member")) {
    const chain = [user];
    for (let above = byId.get(user.managerId ?? ""); above; above = byId.get(above.managerId ?? "")) {
      expect(chain, `managers of ${user.displayName}`).not.toContain(above);
      chain.push(above);
    }
    expect(chain.at(-1)?.displayName).toBe("Patti Fernandez");
  }
});

test("the people who stand for a kind of sign-in have it", () => {
  expect(people.needsMfa).toMatchObject({ displayName: "Megan Bowen", signIn: { requiresMfa: true } });
  expect(people.normal.signIn).toBeUndefined();
  expect(people.guest).toMatchObject({
    id: "ec63c778-24e1-4240-bea3-d12a167d5232",
    userType: "Guest",
    userPrincipalName: "sam_fabrikam.com#EXT#@contoso.com",
    mail: "sam@fabrikam.com",
    mailbox: null,
    jobTitle: null,
  });
});

test("the mailboxes have several time zones, one of them custom", () => {
  const zones = new Set(users.map(({ mailbox }) => mailbox?.timeZone));
  for (const zone of ["W. Europe Standard Time", "India Standard Time", "UTC", "Customized Time Zone"]) {
    expect(zones).toContain(zone);
  }
});
