import type { Chat, ChatAttachment, ChatMember, ChatMessage } from "../chat.ts";
import { users } from "./users.ts";

const FABRIKAM_TENANT = "3c9d5e72-8f14-4b6a-9e20-7d1f0a4c8b35";

type Person = Omit<ChatMember, "tenantId">;

/** Of another organisation, in chats by federation. */
const KIM: ChatMember = {
  userId: "b7f0c2d4-61e8-4a93-8d57-2c9e0f3a1b46",
  displayName: "Kim Akers",
  email: "kim@fabrikam.com",
  tenantId: FABRIKAM_TENANT,
};

/** Joined the meeting without an address. */
const VISITOR: ChatMember = {
  ...KIM,
  userId: "0e6a4b19-7c25-4d83-9f10-5b8d2e7c6a31",
  displayName: "Visitor",
  email: null,
};

function person(alias: string): Person {
  const user = users.find(({ userPrincipalName }) => userPrincipalName.split(/[@_]/)[0] === alias);
  if (!user) throw new Error(`No sample user has the alias ${alias}.`);
  return { userId: user.id, displayName: user.displayName, email: user.mail };
}

const [ADELE, MEGAN, ALEX, MIRIAM, SAM, PRADEEP] = ["AdeleV", "MeganB", "AlexW", "MiriamG", "sam", "PradeepG"].map(
  person,
) as [Person, Person, Person, Person, Person, Person];

/** A message with everything that is usual about messages. `at` is UTC, to the second. */
function message(at: string, from: Person, content: string, facts: Partial<ChatMessage> = {}): ChatMessage {
  const created = `${at}.120Z`;
  return {
    id: String(Date.parse(created)),
    created,
    modified: created,
    from,
    body: { contentType: content.startsWith("<") ? "html" : "text", content },
    mentions: [],
    attachments: [],
    ...facts,
  };
}

function systemEvent(at: string, event: string): ChatMessage {
  const { from: _from, ...rest } = message(at, ADELE, "<systemEventMessage/>", { event });
  return rest;
}

const PLAN: ChatAttachment = {
  id: "5b1f9c3e-2d47-4a86-b0e9-6f8c7d2a1e54",
  contentType: "reference",
  contentUrl:
    "https://contoso-my.sharepoint.com/personal/alexw_contoso_com/Documents/Microsoft Teams Chat Files/Poster plan.docx",
  content: null,
  name: "Poster plan.docx",
};

const QUOTE: ChatAttachment = {
  id: "1774969800120",
  contentType: "messageReference",
  contentUrl: null,
  content: '{"messageId":"1774969800120","messagePreview":"The posters are ready"}',
  name: null,
};

/** The chats of the sample tenant, most of them Adele's; those that moved last come first. A fresh, mutable copy per call. */
export function createChats(tenantId: string): Chat[] {
  const inside = (person: Person): ChatMember => ({ ...person, tenantId });
  const members = (...aliases: string[]) => aliases.map((alias) => inside(person(alias)));
  const oneOnOne = (other: ChatMember, messages: ChatMessage[] = []): Chat => ({
    id: `19:${ADELE.userId}_${other.userId}@unq.gbl.spaces`,
    type: "oneOnOne",
    topic: null,
    created: "2026-01-12T09:00:00.51Z",
    updated: "2026-01-12T09:00:01.2Z",
    members: [inside(ADELE), other],
    messages,
  });
  return [
    {
      id: "19:2da4c29f6d7041eca70b638b43d45437@thread.v2",
      type: "group",
      topic: "Spring launch",
      created: "2026-02-02T08:30:00.4Z",
      updated: "2026-03-31T15:00:00.12Z",
      members: members("AdeleV", "MiriamG", "AlexW", "sam"),
      messages: [
        message(
          "2026-03-31T16:20:00",
          MIRIAM,
          '<p><at id="0">Adele Vance</at> please look at the <b>budget</b> &amp; the plan.</p><p>Thanks!</p>',
          { mentions: [ADELE] },
        ),
        message(
          "2026-03-31T15:40:00",
          SAM,
          '<attachment id="1774969800120"></attachment><p>Great, send me the files</p>',
          {
            attachments: [QUOTE],
          },
        ),
        message(
          "2026-03-31T15:10:00",
          ALEX,
          '<p>The posters are ready</p><attachment id="5b1f9c3e-2d47-4a86-b0e9-6f8c7d2a1e54"></attachment>',
          { attachments: [PLAN] },
        ),
        systemEvent("2026-03-31T15:00:00", "membersAdded"),
        message("2026-03-31T14:05:00", ALEX, "", {
          modified: "2026-03-31T14:06:30.5Z",
          deleted: "2026-03-31T14:06:30.5Z",
          body: { contentType: "html", content: "" },
        }),
        message("2026-03-30T10:00:00", ADELE, "Who takes care of the posters?", {
          modified: "2026-03-31T15:30:00.9Z",
          edited: "2026-03-31T15:30:00.9Z",
        }),
        systemEvent("2026-02-02T08:30:00", "chatRenamed"),
      ],
    },
    {
      id: "19:meeting_MjdhNjM4YzUtYzExZi00OTFkLTkzZTAtNTVlNmZmMDhkNGU2@thread.v2",
      type: "meeting",
      topic: "Store review",
      created: "2026-03-20T11:00:00.8Z",
      updated: "2026-03-24T17:02:00.5Z",
      members: [...members("AdeleV", "AlexW", "MeganB", "sam"), KIM, VISITOR],
      messages: [
        message("2026-03-24T17:31:00", KIM, "<div>Figures of the <i>last quarter</i>: revenue up 4%</div>"),
        systemEvent("2026-03-24T17:00:00", "callStarted"),
      ],
    },
    oneOnOne(inside(MEGAN), [
      message("2026-03-27T09:12:00", MEGAN, "<p>Could you review the campaign budget today?</p>"),
      message("2026-03-27T09:10:00", ADELE, "Good morning Megan"),
    ]),
    {
      id: "19:7f0b6c2e91d84a53b6f1c0de82a7e946@thread.v2",
      type: "group",
      topic: null,
      created: "2026-03-05T13:00:00.1Z",
      updated: "2026-03-05T13:00:00.1Z",
      members: members("AdeleV", "LynneR", "ChristieC", "siobhan.o'connor"),
      messages: [message("2026-03-05T13:00:05", ADELE, "Lunch at noon?")],
    },
    {
      id: "19:c41d7e0a5b9f4c68a2e3f7b61d08c925@thread.v2",
      type: "group",
      topic: "Engineering on call",
      created: "2026-01-08T07:00:00.3Z",
      updated: "2026-01-08T07:00:00.3Z",
      members: members("JohannaL", "PradeepG"),
      messages: [message("2026-03-29T22:15:00", PRADEEP, "<p>The budget service is back</p>")],
    },
    oneOnOne(inside(person("DiegoS"))),
    oneOnOne(KIM, [message("2026-02-11T16:45:00", KIM, "<p>Contract is on its way</p>")]),
  ];
}
