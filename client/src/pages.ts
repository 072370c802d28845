import type { Http, RequestOptions } from "./http.ts";

interface Page<Item> {
  readonly value: readonly Item[];
  readonly nextLink?: string | null;
}

/**
 * Every item of a list. `token`: the next page is this query with the `$skipToken` of the link (models, wire contract 6.2).
 * `link`: the link is followed as it stands (images and services, 7.3).
 */
export async function readPages<Item>(
  http: Http,
  url: string,
  options: RequestOptions,
  next: "token" | "link",
): Promise<Item[]> {
  const items: Item[] = [];
  let page = await http.json<Page<Item>>("GET", url, options);
  for (;;) {
    items.push(...page.value);
    if (!page.nextLink) return items;
    if (next === "link") {
      page = await http.json<Page<Item>>("GET", page.nextLink, { signal: options.signal });
      continue;
    }
    const token = new URL(page.nextLink, http.baseUrl).searchParams.get("$skipToken");
    if (token === null) return items;
    page = await http.json<Page<Item>>("GET", url, { ...options, query: { ...options.query, $skipToken: token } });
  }
}

/** `{a: "1", b: ""}` as the wire's filter `a=1,b`: a tag without a value asks only that it is there. */
export function tagFilter(tags: Readonly<Record<string, string>> | undefined): string | undefined {
  if (tags === undefined) return undefined;
  return Object.entries(tags)
    .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
    .join(",");
}
