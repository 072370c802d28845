/**
 * The first line (from 1) at which a Python source imports `azureml` or something of it; undefined when it does not.
 * Comments and texts do not count.
 */
export function importsAzureml(source: string): number | undefined {
  const lines = withoutTexts(source).split("\n");
  const index = lines.findIndex((line) =>
    line.split(";").some((statement) => {
      const words = statement.replace(/^.*?:\s+(?=import\s|from\s)/, "").trim();
      return (
        /^from\s+azureml(\.[\w.]+)?\s+import\b/.test(words) || /^import\s(.*,\s*)?\s*azureml(\.|\s|,|$)/.test(words)
      );
    }),
  );
  return index === -1 ? undefined : index + 1;
}

/** Blanks comments and string literals; line numbers stay. */
function withoutTexts(source: string): string {
  return source
    .replace(/\r\n?/g, "\n")
    .replace(
      /'''(?:\\[\s\S]|[^\\])*?(?:'''|$)|"""(?:\\[\s\S]|[^\\])*?(?:"""|$)|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"|#[^\n]*/g,
      (text) => `""${"\n".repeat(text.split("\n").length - 1)}`,
    );
}
