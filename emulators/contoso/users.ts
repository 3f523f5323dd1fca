import type { User, WorkingHours } from "../directory.ts";

/**
 * One user per line. The manager is an alias, `-` means none.
 *
 * Some share a first name, a surname or a department, so that a search has more than one answer.
 */
const directory = `
id                                   | alias            | given name | surname    | job title                  | department       | office   | manager   | language | mailbox time zone
8a6f4a0e-3c55-4b07-9a2a-1f2a3b4c5d01 | PattiF           | Patti      | Fernandez  | President                  | Executive        | 15/1102  | -         | en-US    | Eastern Standard Time
0d1e5c72-9b34-4f8a-b6c1-2e7f90a1b302 | MiriamG          | Miriam     | Graham     | VP Marketing               | Marketing        | 131/2103 | PattiF    | en-US    | Pacific Standard Time
48d31887-5fad-4d73-a9f5-3c356e68a038 | MeganB           | Megan      | Bowen      | Marketing Manager          | Marketing        | 12/1110  | MiriamG   | en-US    | Pacific Standard Time
6e3b8f19-27cd-4a60-8f5e-b41d9c70e204 | AlexW            | Alex       | Wilber     | Marketing Assistant        | Marketing        | 131/1104 | MeganB    | en-US    | Pacific Standard Time
c71f2d80-64ae-4b39-9d12-7a05e8f3b605 | AlexD            | Alex       | Darrow     | Event Planner              | Marketing        | 131/1106 | MeganB    | fr-FR    | Romance Standard Time
1fb94c3d-8e07-4d52-a7c6-530e9b28f706 | DebraB           | Debra      | Berger     | Administrative Assistant   | Executive        | 18/2107  | PattiF    | en-US    | Eastern Standard Time
9c20e7a5-f1b8-4c46-8e93-d67a1f45b807 | BenW             | Ben        | Walters    | VP Sales                   | Sales            | 19/3123  | PattiF    | en-US    | Central Standard Time
87d349ed-44d7-43e1-9a83-5f2406dee5bd | AdeleV           | Adele      | Vance      | Retail Manager             | Retail           | 18/2111  | LeeG      | en-US    | Pacific Standard Time
b3d5f607-1a29-4e8c-94b7-c0e8d2f61a09 | AdeleD           | Adèle      | Dubois     | Store Manager              | Retail           | 32/1003  | AdeleV    | fr-FR    | Romance Standard Time
5bde3e51-d13b-4db1-9948-fe4b109d11a7 | LeeG             | Lee        | Gu         | Director                   | Retail           | 23/3101  | PattiF    | en-US    | Pacific Standard Time
e40a9d16-52f7-4b83-a1d0-9f3c6b7e2511 | LynneR           | Lynne      | Robbins    | Planner                    | Retail           | 20/1104  | AdeleV    | en-US    | Customized Time Zone
27c8b1f4-de60-4937-b52e-08a4f9d71312 | ChristieC        | Christie   | Cline      | Buyer                      | Retail           | 131/2105 | AdeleV    | en-US    | Pacific Standard Time
f6157e2b-03c9-4ad8-8b71-4d92e0c6fa13 | IsaiahL          | Isaiah     | Langer     | Sales Representative       | Sales            | 20/1101  | BenW      | en-US    | Central Standard Time
3e9a06d7-b842-4f15-9c6b-a71e5f20d414 | MalloryC         | Mallory    | Cortez     | Sales Representative       | Sales            | 20/1102  | BenW      | es-MX    | Central Standard Time (Mexico)
a05d8c31-7f6e-42b9-b043-e61f9a8d2715 | siobhan.o'connor | Siobhán    | O'Connor   | Key Account Manager        | Sales            | 44/0201  | BenW      | en-IE    | GMT Standard Time
40079818-3808-4585-903b-02605f061225 | DiegoS           | Diego      | Siciliani  | HR Manager                 | Human Resources  | 14/1108  | PattiF    | it-IT    | W. Europe Standard Time
d82b7f50-96c3-4e1d-a5f8-1b30c9e4a617 | EmilyB           | Emily      | Braun      | Recruiter                  | Human Resources  | 14/1109  | DiegoS    | en-US    | Eastern Standard Time
71e4c0a9-2d8b-4563-8fa7-f95b06d3e818 | NestorW          | Nestor     | Wilke      | Director of Operations     | Operations       | 36/2121  | PattiF    | en-US    | Pacific Standard Time
0b96f3e8-c47a-4d21-96e5-83d1a2f70b19 | IrvinS           | Irvin      | Sayers     | Project Manager            | Operations       | 36/2115  | NestorW   | en-US    | Pacific Standard Time
bc3f51d2-80a7-4e96-b9c4-65f7e1d08a20 | HenriettaM       | Henrietta  | Mueller    | Developer                  | Engineering      | 18/1106  | JohannaL  | en-US    | UTC
58a2e6f9-4b13-4c70-8ed2-f09c7b61d321 | JohannaL         | Johanna    | Lorenz     | Engineering Manager        | Engineering      | 23/2102  | NestorW   | de-DE    | W. Europe Standard Time
9e71d4b0-a5f8-4326-a0b9-c8e25f13d622 | JordanM          | Jordan     | Miller     | Senior Developer           | Engineering      | 18/1107  | JohannaL  | en-US    | Mountain Standard Time
2c04f8a6-d971-4be3-9517-7e0b3c96fa23 | JordanL          | Jordan     | Lee        | Site Reliability Engineer  | Engineering      | 18/1108  | JohannaL  | en-US    | UTC
e5b8379d-1f62-4ac0-b84d-a27f6d0e9c24 | JuergenM         | Jürgen     | Müller     | Software Architect         | Engineering      | 61/0310  | JohannaL  | de-DE    | W. Europe Standard Time
14d6c9f2-7ea3-4058-8cb5-d93e0f72b125 | PradeepG         | Pradeep    | Gupta      | Data Engineer              | Engineering      | 71/0508  | JohannaL  | en-IN    | India Standard Time
8f9b2e47-c05d-4613-a9e8-60b4d7f1ca26 | PriyaG           | Priya      | Gupta      | Test Engineer              | Engineering      | 71/0509  | PradeepG  | en-IN    | India Standard Time
63a0d7c8-e92f-4b54-87d6-15c9e3b0fa27 | WeiZ             | Wei        | Zhang      | Localization Engineer      | Engineering      | 82/1201  | JohannaL  | zh-CN    | China Standard Time
d7f41e95-3b86-4dc2-90a1-be58f2c07d28 | FatimaH          | Fatima     | Haddad     | UX Researcher              | Product          | 85/0402  | LidiaH    | ar-AE    | Arabian Standard Time
a8c65b03-f4d1-4e7a-b62c-39d0e1f78529 | LidiaH           | Lidia      | Holloway   | Product Manager            | Product          | 20/2107  | PattiF    | en-US    | Tokyo Standard Time
37e0a9f1-6dc2-4b85-9e14-f82b5d60c730 | GradyA           | Grady      | Archie     | Designer                   | Product          | 19/2109  | LidiaH    | en-US    | Pacific Standard Time
c92d5e78-0ab4-4f63-8d9c-e01f7a36b431 | AllanD           | Allan      | Deyoung    | IT Administrator           | IT               | 18/1110  | NestorW   | en-US    | UTC
5f13b0e6-a8d9-4c27-b0f5-d64e92c71832 | CameronW         | Cameron    | White      | Help Desk Technician       | IT               | 18/1112  | AllanD    | en-AU    | AUS Eastern Standard Time
b60e8d24-c7f1-4935-8a63-2f9d0b5ec133 | JoniS            | Joni       | Sherman    | Paralegal                  | Legal            | 20/1109  | EnricoC   | en-US    | Eastern Standard Time
1a7cf592-e03d-4b68-95da-c48b6e07f934 | EnricoC          | Enrico     | Cattaneo   | Attorney                   | Legal            | 18/1105  | PattiF    | it-IT    | W. Europe Standard Time
f0d39a6e-582b-4c14-a7e9-07b1d8c5e235 | RaulR            | Raul       | Razo       | Accountant                 | Finance          | 31/1204  | PattiF    | pt-BR    | E. South America Standard Time
7b5e02c4-9fd8-46a1-8c30-b5f7e9d1a636 | AsaO             | Åsa        | Öberg      | Budget Analyst             | Finance          | 31/1205  | RaulR     | sv-SE    | W. Europe Standard Time
ec63c778-24e1-4240-bea3-d12a167d5232 | sam              | Sam        | Jenkins    | -                          | -                | -        | -         | en-US    | -
`;

/** What does not fit into a line. */
const peculiarities: Readonly<Record<string, Partial<User>>> = {
  MeganB: { signIn: { requiresMfa: true } },
  WeiZ: { displayName: "张伟", givenName: "伟", surname: "张" },
  FatimaH: { displayName: "فاطمة حداد", givenName: "فاطمة", surname: "حداد" },
  sam: {
    userType: "Guest",
    userPrincipalName: "sam_fabrikam.com#EXT#@contoso.com",
    mail: "sam@fabrikam.com",
    businessPhones: [],
  },
};

const workingHours = (timeZone: string): WorkingHours => ({
  daysOfWeek: ["monday", "tuesday", "wednesday", "thursday", "friday"],
  startTime: "08:00:00.0000000",
  endTime: "17:00:00.0000000",
  timeZone: { name: timeZone },
});

const rows = directory
  .trim()
  .split("\n")
  .slice(1)
  .map((line) => line.split("|").map((cell) => cell.trim()));

const idOf = new Map(rows.map(([id = "", alias = ""]) => [alias, id]));

function createUser(cells: readonly string[], index: number): User {
  const [id = "", alias = "", givenName = "", surname = ""] = cells;
  const [jobTitle, department, officeLocation, manager, preferredLanguage, timeZone] = cells
    .slice(4)
    .map((cell) => (cell === "-" ? null : cell));
  const extension = String(100 + index);
  return {
    id,
    displayName: `${givenName} ${surname}`,
    givenName,
    surname,
    userPrincipalName: `${alias}@contoso.com`,
    mail: `${alias}@contoso.com`,
    userType: "Member",
    jobTitle: jobTitle ?? null,
    department: department ?? null,
    officeLocation: officeLocation ?? null,
    preferredLanguage: preferredLanguage ?? null,
    businessPhones: [`+1 425 555 0${extension}`],
    mobilePhone: index % 3 === 0 ? `+1 206 555 0${extension}` : null,
    managerId: manager ? (idOf.get(manager) ?? null) : null,
    mailbox: timeZone ? { timeZone, workingHours: workingHours(timeZone) } : null,
    ...peculiarities[alias],
  };
}

/** The people of Microsoft's fictional company Contoso. */
export const users: readonly User[] = rows.map(createUser);

function byAlias(alias: string): User {
  const user = users.find(({ id }) => id === idOf.get(alias));
  if (!user) throw new Error(`No sample user has the alias ${alias}.`);
  return user;
}

/** Users that stand for a kind of sign-in. */
export const people = {
  /** Everything works. */
  normal: byAlias("AdeleV"),
  /** On-behalf-of wants multi-factor authentication (AADSTS50076). */
  needsMfa: byAlias("MeganB"),
  /** Nobody consented to Graph for this user (AADSTS65001). */
  noConsent: byAlias("LeeG"),
  /** Has no app role: read tools only. */
  noRole: byAlias("DiegoS"),
  /** A guest of another organisation, without a mailbox. */
  guest: byAlias("sam"),
} as const;
