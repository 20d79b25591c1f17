/** Which kind a file is shown as: what the server has recognised it for, by its first bytes. */
export function fileKind({ content_type: type = "" }) {
  return ["image", "video", "audio"].find((kind) => type.startsWith(`${kind}/`)) ?? "other";
}
