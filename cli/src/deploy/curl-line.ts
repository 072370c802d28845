export interface CurlRequest {
  readonly url: string;
  readonly caFile: string | undefined;
  readonly key: string | undefined;
  readonly body: string;
}

/** A line for any shell that works as it stands. */
export function curlLine(request: CurlRequest): string {
  const parts = ["curl"];
  if (request.caFile !== undefined) parts.push("--cacert", shellWord(request.caFile));
  parts.push("-H", shellWord("Content-Type: application/json"));
  if (request.key !== undefined) parts.push("-H", shellWord(`Authorization: Bearer ${request.key}`));
  parts.push("-d", shellWord(request.body), shellWord(request.url));
  return parts.join(" ");
}

/** Quoted if the shell would read more than the text in it. */
function shellWord(text: string): string {
  if (/^[A-Za-z0-9_\-./:=@%+,]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
