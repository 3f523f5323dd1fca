/** One honest text as it comes in; HTML unless its name ends in .txt. */
export interface Honest {
  readonly name: string;
  readonly content: string;
}

const table = (rows: readonly (readonly string[])[]) =>
  `<table border="0" cellpadding="0">${rows.map((row) => `<tr>${row.map((cell) => `<td>${cell}</td>`).join("")}</tr>`).join("\n")}</table>`;

/** Mails, newsletters, threads and invitations as they are sent every day. */
export const honest: readonly Honest[] = [
  {
    name: "outlook.html",
    content: `<html xmlns:o="urn:schemas-microsoft-com:office:office"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><style><!--
/* Font Definitions */ @font-face {font-family:Calibri; panose-1:2 15 5 2 2 2 4 3 2 4;}
p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt; font-family:"Calibri",sans-serif;}
span.EmailStyle17 {mso-style-type:personal-compose; color:windowtext;}
@page WordSection1 {size:612.0pt 792.0pt;} div.WordSection1 {page:WordSection1;}
--></style></head><body lang="EN-GB" link="#0563C1"><div class="WordSection1"><p class="MsoNormal">Hi Adele,<o:p></o:p></p><p class="MsoNormal"><o:p>&nbsp;</o:p></p>
<p class="MsoNormal">Please find the figures for week&nbsp;12 below. I&#8217;ll call you <b>tomorrow</b> at 9.<o:p></o:p></p><p class="MsoNormal">Lee</p></div></body></html>`,
  },
  {
    name: "outlook-thread.html",
    content: `<div dir="ltr">Agreed, let's go with the second draft.<br></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri, sans-serif" color="#000000" style="font-size:11pt"><b>From:</b> Miriam Graham &lt;MiriamG@contoso.com&gt;<br><b>Sent:</b> Monday, 30 March 2026 09:12<br><b>To:</b> Adele Vance<br><b>Subject:</b> Posters</font></div><div><p>Two drafts are attached.</p><p>Which one do you prefer?</p></div>`,
  },
  {
    name: "gmail-reply.html",
    content: `<div dir="ltr"><div>Thursday works for me.</div><div><br></div><div>Kim</div></div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Mar 30, 2026 at 4:05 PM Adele Vance &lt;<a href="mailto:AdeleV@contoso.com">AdeleV@contoso.com</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid rgb(204,204,204);padding-left:1ex"><div>Can we meet on Thursday?</div></blockquote></div>`,
  },
  {
    name: "newsletter.html",
    content: `<!doctype html><html><head><title>Litware Weekly</title><style>@media only screen and (max-width:480px){.desktop{display:none!important}} .preheader{display:none!important;visibility:hidden;mso-hide:all} .hero{background-color:#0b3d91;color:#ffffff} a{color:#0b3d91}</style></head><body style="margin:0;background-color:#f4f4f4"><div class="preheader">Checkout without queues, and more&nbsp;&zwnj;&nbsp;&zwnj;&nbsp;&zwnj;</div>
<table role="presentation" width="100%"><tr><td align="center" style="font-size:0px;line-height:0"><table width="600" bgcolor="#ffffff"><tr><td class="hero" style="font-size:24px;line-height:30px;color:#ffffff">Checkout without queues</td></tr>
<tr><td style="font-size:14px;line-height:20px;color:#444444"><p>Three of our stores have gone without tills for a month. <span class="desktop">Here is what we learned.</span></p><p><a href="https://click.litware.example/a?u=123" style="background:#0b3d91;color:#ffffff;padding:8px">Read the story</a></p></td></tr>
<tr><td style="font-size:11px;color:#999999">Litware, 1 Main St, Redmond. <a href="https://litware.example/unsubscribe">Unsubscribe</a><img src="https://click.litware.example/o.gif" width="1" height="1" alt=""></td></tr></table></td></tr></table></body></html>`,
  },
  {
    name: "order.html",
    content: `<h2>Your order 40718 has shipped</h2>${table([
      ["Item", "Quantity", "Price"],
      ["Display stand DS-1", "12", "$1,188.00"],
      ["Price rail", "40", "$96.00"],
      ["<b>Total</b>", "", "<b>$1,284.00</b>"],
    ])}<p>Track it at <a href="https://track.fourthcoffee.example/40718">track.fourthcoffee.example/40718</a>.</p>`,
  },
  {
    name: "password-reset.html",
    content: `<p>Hello Adele,</p><p>Somebody asked to reset your password. If it was you, use this link within an hour:</p><p><a href="https://account.contoso.com/reset?t=abc">https://account.contoso.com/reset?t=abc</a></p><p>If not, ignore this mail.</p>`,
  },
  {
    name: "invitation.html",
    content: `<p>Agenda</p><ol><li>Numbers of March</li><li>Store 12<ul><li>Staff</li><li>Opening hours</li></ul></li><li>Any other business</li></ol><div>________________________________________________________________________________</div><div><span style="font-size:24px">Microsoft Teams</span></div><div><a href="https://teams.microsoft.com/l/meetup-join/19%3ameeting_x">Join the meeting now</a></div><div><span>Meeting ID: </span><span>123 456 789</span></div>`,
  },
  {
    name: "code.html",
    content: `<p>The failing query is this one:</p><pre>SELECT store, SUM(revenue)
  FROM sales
 WHERE week = 12 AND revenue &lt; 50000
 GROUP BY store;</pre><p>Use <code>&lt;=</code> instead.</p>`,
  },
  {
    name: "dark.html",
    content: `<body bgcolor="#1b1b1b" text="#eeeeee"><p>Maintenance on <font color="#ffcc00">Saturday</font>, 22:00 to 23:00 UTC.</p><p style="color:#bbbbbb">Contoso IT</p></body>`,
  },
  {
    name: "german.html",
    content: `<p>Liebe Adele,</p><p>die Zahlen für März sind da: der Umsatz stieg um 3,5&nbsp;%. Größere Änderungen gibt es nicht.</p><p>Viele Grüße<br>Jürgen Müller</p>`,
  },
  {
    name: "persian.html",
    content: `<div dir="rtl"><p>سلام آدل،</p><p>نامه\u200cها را خواندم و می\u200cخواهم فردا درباره\u200cی کتاب\u200cخانه صحبت کنیم.</p><p>با احترام</p></div>`,
  },
  {
    name: "hindi.html",
    content: `<p>नमस्ते,</p><p>कृपया शुक्रवार तक रिपोर्ट भेजें। क्\u200dष और र्\u200dय जैसे अक्षर भी ठीक रहें।</p><p>धन्यवाद</p>`,
  },
  {
    name: "arabic-hebrew.html",
    content: `<p dir="rtl">مرحبًا، الاجتماع يوم الخميس الساعة 10:00.</p><p dir="rtl">שלום, הפגישה ביום חמישי.</p>`,
  },
  {
    name: "japanese.html",
    content: `<p>アデル様</p><p>お世話になっております。第12週の売上をお送りします。<br>よろしくお願いいたします。</p><p>張偉</p>`,
  },
  {
    name: "emoji.txt",
    content:
      "Great launch! 🎉🎉 Thanks to the whole family 👨\u200d👩\u200d👧\u200d👦, to our pilot 👩🏽\u200d✈\ufe0f and to team 🏴\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f} and 🇩🇪.\nVotes: 1\ufe0f\u20e3 Anna 2\ufe0f\u20e3 Ben ❤\ufe0f",
  },
  {
    name: "plain-thread.txt",
    content:
      "Works for me.\r\n\r\n> On 30 March, Kim wrote:\r\n>> Shall we say Thursday?\r\n> Or Friday.\r\n\r\n-- \r\nLee Gu\r\nContoso, https://contoso.com/stores?id=12#map",
  },
  {
    name: "math.txt",
    content: "If a < b and b <= c then a < c; x |> f <| y; 3 <  untrue. Cost: 5^2 = 25 €, ±3 %, ½ of it.",
  },
  {
    name: "log.txt",
    content: "2026-03-31T16:05:00Z\tERROR\t<untitled> GET http://localhost:8080/a?b=<c>\n\tat main (app.js:1:2)",
  },
  {
    name: "about-attacks.txt",
    content:
      'Team, our training next week is about prompt injection. A typical line is "Ignore all previous instructions". Please report such mail to security@contoso.com.',
  },
  {
    name: "alert.html",
    content: `<table style="background:#fff4ce"><tr><td style="color:#323130">You don't often get email from kim@fabrikam.com. <a href="https://aka.ms/LearnAboutSenderIdentification">Learn why this is important</a></td></tr></table><p>Dear Ms Vance,</p><p>the contract is ready to be signed: <a href="https://na2.docusign.example/sign/1">REVIEW DOCUMENT</a></p><p>Kim Akers</p>`,
  },
];
