/** How the text of a file is to be found. */
export type Format = "text" | "html" | "docx" | "xlsx" | "pptx" | "pdf";

const BY_ENDING: Readonly<Record<string, Format>> = {
  txt: "text",
  md: "text",
  csv: "text",
  tsv: "text",
  json: "text",
  xml: "text",
  yaml: "text",
  yml: "text",
  log: "text",
  html: "html",
  htm: "html",
  docx: "docx",
  docm: "docx",
  xlsx: "xlsx",
  xlsm: "xlsx",
  pptx: "pptx",
  pptm: "pptx",
  pdf: "pdf",
};

const OOXML = "application/vnd.openxmlformats-officedocument";

const BY_TYPE: readonly (readonly [type: RegExp, format: Format])[] = [
  [/^text\/html$|^application\/xhtml\+xml$/, "html"],
  [/^text\/|^application\/(?:.+\+)?(?:json|xml)$/, "text"],
  [/^application\/pdf$/, "pdf"],
  [new RegExp(`^${OOXML}\\.wordprocessingml\\.document$`), "docx"],
  [new RegExp(`^${OOXML}\\.spreadsheetml\\.sheet$`), "xlsx"],
  [new RegExp(`^${OOXML}\\.presentationml\\.presentation$`), "pptx"],
];

/** Tells a file's format by its name's ending, or else by its media type; undefined for one without text to read. */
export function formatOf({ name, contentType }: { readonly name: string; readonly contentType: string }) {
  const ending = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  return BY_ENDING[ending] ?? BY_TYPE.find(([type]) => type.test(contentType))?.[1];
}
