const MAX_SOURCE_LENGTH = 1024 * 1024;

/**
 * The first line (from 1) at which a Python source imports `azureml` or something of it; undefined when it does not.
 * Comments and texts do not count.
 */
export function importsAzureml(source: string): number | undefined {
  const lines = withoutTexts(source.slice(0, MAX_SOURCE_LENGTH)).split("\n");
  const index = lines.findIndex((line) =>
    // A statement begins a line, or follows a colon or semicolon in it.
    [...line.matchAll(/(?:^|[:;])\s*(import|from)\s([^;]*)/g)].some(([, keyword, rest = ""]) =>
      (keyword === "import" ? rest.split(",") : [rest]).some((part) => /^azureml(\.|\s|$)/.test(part.trimStart())),
    ),
  );
  return index === -1 ? undefined : index + 1;
}

/** Blanks comments and string literals; line numbers stay. Each alternative matches whatever follows, so it takes linear time. */
function withoutTexts(source: string): string {
  return source
    .replace(/\r\n?/g, "\n")
    .replace(
      /'''(?:\\[\s\S]|[^\\])*?(?:'''|\\?$)|"""(?:\\[\s\S]|[^\\])*?(?:"""|\\?$)|'(?:\\[\s\S]|[^'\\\n])*'?|"(?:\\[\s\S]|[^"\\\n])*"?|#[^\n]*/g,
      (text) => `""${"\n".repeat(text.split("\n").length - 1)}`,
    );
}
