import type { DriveItem } from "@microsoft/microsoft-graph-types";
import * as z from "zod";
import { folderOf, shareId } from "../graph/drive.ts";
import { path } from "../graph/path.ts";
import { excerpt, excerptRange, excerptResult } from "../mcp/excerpt.ts";
import { defineTool, page, pageResult, ToolError } from "../mcp/tool.ts";

const FIELDS = "id,name,size,webUrl,lastModifiedDateTime,lastModifiedBy,file,folder,parentReference";
const MAX_FILE_BYTES = 8 * 1024 * 1024;

const id = z.string().min(1).max(512);

const file = z.object({
  id: z.string(),
  drive_id: z.string().optional(),
  name: z.string(),
  type: z.string().optional(),
  path: z.string().optional(),
  size: z.number().optional(),
  modified: z.string().optional(),
  modified_by: z.string().optional(),
  url: z.string().optional(),
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
  output: z.object({ files: z.array(file.extend({ summary: z.string().optional() })), ...pageResult }),
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
    const at = addressOf(drive_id, item_id, link);
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

function addressOf(drive: string | undefined, item: string | undefined, link: string | undefined) {
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

function toLink({ name, type, size, url }: Omit<z.output<typeof file>, "id">) {
  if (url === undefined || type === "folder") return [];
  return [{ type: "resource_link" as const, uri: url, name, ...(type && { mimeType: type }), ...(size && { size }) }];
}

export default [searchFiles, listFolder, readFile];
