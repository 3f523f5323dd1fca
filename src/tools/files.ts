import type { DriveItem } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { line, preview } from "../graph/confirm-text.ts";
import { folderOf, isFileName, shareId, TEXT_ENDINGS, textType } from "../graph/drive.ts";
import type { Graph } from "../graph/graph.ts";
import { type GraphPath, path } from "../graph/path.ts";
import { excerpt, excerptRange, excerptResult } from "../mcp/excerpt.ts";
import { sentContent } from "../mcp/sent-text.ts";
import { defineTool, page, pageResult, ToolError } from "../mcp/tool.ts";
import { trusted, untrusted } from "../safety/untrusted.ts";

const FIELDS = "id,name,size,webUrl,lastModifiedDateTime,lastModifiedBy,file,folder,parentReference";
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const MAX_UPLOAD_CHARS = 200_000;

const id = z.string().min(1).max(512);

const file = z.object({
  id: trusted(),
  drive_id: trusted().optional(),
  name: untrusted(),
  type: untrusted().optional(),
  path: untrusted().optional(),
  size: z.number().optional(),
  modified: trusted().optional(),
  modified_by: untrusted().optional(),
  url: trusted().optional(),
});

const searchFiles = defineTool({
  name: "search_files",
  title: "Search files",
  description: "Find files by words in name or text. Use read_file to read one.",
  effect: "read",
  permissions: ["Files.Read.All"],
  input: z.strictObject({
    query: z.string().trim().min(1).max(500).describe("Words, or KQL: filetype:docx author:ann"),
    scope: z.enum(["all", "my_drive"]).default("all").describe("my_drive: own OneDrive, words only"),
    ...page,
  }),
  output: z.object({ files: z.array(file.extend({ summary: untrusted().optional() })), ...pageResult }),
  async handler({ query, scope, limit, cursor }, { graph }) {
    if (scope === "my_drive") {
      const { items, next } = await graph.list<DriveItem>(
        path`/me/drive/root/search(q='${query.replaceAll("'", "''")}')`,
        { query: { $top: limit, $select: `${FIELDS},remoteItem` }, cursor },
      );
      return { files: items.map(toFile), next };
    }
    const { items, next } = await graph.search<DriveItem>({ entityType: "driveItem", query, limit, cursor });
    return { files: items.map(({ resource, summary }) => Object.assign(toFile(resource), { summary })), next };
  },
  content: ({ files }) => files.flatMap(toLink),
});

const listFolder = defineTool({
  name: "list_folder",
  title: "List a folder",
  description: "What is in a folder, by name.",
  effect: "read",
  permissions: ["Files.Read.All"],
  input: z.strictObject({
    drive_id: id.optional().describe("Default: own OneDrive"),
    item_id: id.default("root"),
    ...page,
  }),
  output: z.object({ files: z.array(file), ...pageResult }),
  async handler({ drive_id, item_id, limit, cursor }, { graph }) {
    const { items, next } = await graph.list<DriveItem>(
      drive_id === undefined
        ? path`/me/drive/items/${item_id}/children`
        : path`/drives/${drive_id}/items/${item_id}/children`,
      { query: { $orderby: "name", $top: limit, $select: `${FIELDS},remoteItem` }, cursor },
    );
    return { files: items.map(toFile), next };
  },
  content: ({ files }) => files.flatMap(toLink),
});

const readFile = defineTool({
  name: "read_file",
  title: "Read a file",
  description: "Text of a Word, Excel, PowerPoint, PDF, HTML or text file. Give drive_id and item_id, or link.",
  effect: "read",
  permissions: ["Files.Read.All"],
  input: z.strictObject({
    drive_id: id.optional(),
    item_id: id.optional(),
    link: z
      .url({ protocol: /^https$/ })
      .max(2048)
      .optional()
      .describe("Sharing link"),
    ...excerptRange,
  }),
  output: z.object({ ...file.pick({ name: true, type: true, size: true, url: true }).shape, ...excerptResult }),
  async handler({ drive_id, item_id, link, ...range }, { graph, extractText }) {
    const at = itemOf(drive_id, item_id, link);
    const item = await graph.get<DriveItem>(at.item, { query: { $select: FIELDS } });
    const found = toFile(item);
    if (found.type === "folder") throw new ToolError("invalid_arguments", "This is a folder. Use list_folder with it.");
    // Of an empty file no range can be had.
    if (found.size === 0) return { ...found, ...excerpt("", range) };
    const { bytes, contentType } = await graph.download(at.content, { maxBytes: MAX_FILE_BYTES });
    const text = await extractText({
      name: found.name,
      contentType: found.type ?? contentType,
      bytes,
      truncated: (found.size ?? 0) > bytes.length,
      webUrl: found.url,
    });
    return { ...found, ...excerpt(text, range) };
  },
  content: (output) => toLink(output),
});

/** As {@link id}; less to publish, and an empty one is no segment of a path. */
const itemId = z.string().max(512);

const uploadFile = defineTool({
  name: "upload_file",
  title: "Upload a text file",
  description: "Create a text file in the own OneDrive, or replace one (drive_id, item_id).",
  effect: "destructive",
  permissions: ["Files.ReadWrite"],
  input: z.strictObject({
    name: z
      .string()
      .max(255)
      .refine(isFileName, 'Not a name for a file: leave out " * : < > ? / \\ | and reserved names')
      .optional()
      .describe("New file: report.md"),
    parent_id: itemId.optional().describe("Folder; default: root"),
    drive_id: itemId.optional(),
    item_id: itemId.optional(),
    content: sentContent(MAX_UPLOAD_CHARS),
  }),
  output: file.omit({ path: true, modified: true, modified_by: true }),
  async confirm({ content, ...input }, { graph }) {
    const at = placeOf(input);
    if (at.name !== undefined) return undefined;
    const item = await readReplaceable(graph, at.item);
    const { name, path: folder, size, modified, modified_by, url } = toFile(item);
    const message = [
      "Replace the content of this file?",
      `Name: ${line(name)}`,
      `Folder: ${line(folder ?? "unknown")}`,
      `Address: ${line(url ?? "unknown")}`,
      `Now: ${size ?? 0} bytes, changed ${line(modified ?? "at an unknown time")} by ${line(modified_by ?? "") || "unknown"}`,
      "It will hold instead:",
      preview(content),
    ].join("\n");
    return { message, version: item.eTag ?? undefined };
  },
  async handler({ content, ...input }, { graph, approvedVersion }) {
    const at = placeOf(input);
    if (at.name !== undefined) {
      const query = { "@microsoft.graph.conflictBehavior": "fail" };
      const contentType = typeOf(at.name);
      return toFile(await graph.put<DriveItem>(at.content, { query, content, contentType, repeatable: false }));
    }
    const { name } = await readReplaceable(graph, at.item);
    return toFile(
      await graph.put<DriveItem>(at.content, {
        content,
        contentType: typeOf(name ?? ""),
        // Without a tag nothing can be replaced safely: an empty one fits no file.
        headers: { "if-match": approvedVersion ?? '""' },
        repeatable: false,
      }),
    );
  },
  content: (output) => toLink(output),
});

interface Upload {
  readonly name?: string | undefined;
  readonly parent_id?: string | undefined;
  readonly drive_id?: string | undefined;
  readonly item_id?: string | undefined;
}

/** Where an upload goes: to a new name, or to an item that is there. */
function placeOf({ name, parent_id, drive_id, item_id }: Upload) {
  if (name !== undefined && drive_id === undefined && item_id === undefined) {
    return { name, content: path`/me/drive/items/${parent_id ?? "root"}:/${name}:/content` };
  }
  if (name === undefined && parent_id === undefined && drive_id !== undefined && item_id !== undefined) {
    return { ...itemOf(drive_id, item_id, undefined), name };
  }
  throw new ToolError(
    "invalid_arguments",
    "Give either name, for a new file, or drive_id and item_id, to replace one.",
  );
}

async function readReplaceable(graph: Graph, at: GraphPath): Promise<DriveItem> {
  const item = await graph.get<DriveItem>(at, { query: { $select: `${FIELDS},eTag` } });
  if (!item.file) throw new ToolError("invalid_arguments", "This is no file. Use list_folder to find one.");
  typeOf(item.name ?? "");
  return item;
}

/** Text in any other file would destroy it, or be something else than it seems. */
function typeOf(name: string): string {
  const type = textType(name);
  if (type !== undefined) return type;
  throw new ToolError(
    "invalid_arguments",
    `Only text files can be written. Their names end with ${TEXT_ENDINGS.join(", ")}.`,
  );
}

function itemOf(drive: string | undefined, item: string | undefined, link: string | undefined) {
  if (link !== undefined && drive === undefined && item === undefined) {
    const id = shareId(link);
    return { item: path`/shares/${id}/driveItem`, content: path`/shares/${id}/driveItem/content` };
  }
  if (drive !== undefined && item !== undefined && link === undefined) {
    return { item: path`/drives/${drive}/items/${item}`, content: path`/drives/${drive}/items/${item}/content` };
  }
  throw new ToolError("invalid_arguments", "Give either drive_id and item_id, or link.");
}

/** An item that was shared from another drive is shown as the one there, because that is what can be read. */
function toFile(entry: DriveItem): z.input<typeof file> {
  const item = { ...entry, ...entry.remoteItem };
  return {
    id: item.id ?? "",
    drive_id: item.parentReference?.driveId ?? undefined,
    name: item.name ?? "",
    type: item.folder ? "folder" : (item.file?.mimeType ?? undefined),
    path: folderOf(item.parentReference),
    size: item.size ?? undefined,
    modified: item.lastModifiedDateTime ?? undefined,
    modified_by: item.lastModifiedBy?.user?.displayName ?? undefined,
    url: item.webUrl ?? undefined,
  };
}

function toLink({ name, type, size, url }: Pick<z.output<typeof file>, "name" | "type" | "size" | "url">) {
  if (url === undefined || type === "folder") return [];
  return [{ type: "resource_link" as const, uri: url, name, ...(type && { mimeType: type }), ...(size && { size }) }];
}

export default [searchFiles, listFolder, readFile, uploadFile];
