// Reference pages that would otherwise drift: settings, error codes, command line. `--check` fails when a committed page is old.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { imageNames, modelNames, serviceNames } from "../api/src/names.ts";
import { compatibility } from "../server/src/compatibility.ts";
import { Config } from "../server/src/config.ts";
import { cliPage } from "./reference/cli-page.ts";

const NOTE = "<!-- Made by scripts/generate-reference.ts (npm run fix). Edit the source instead. -->";

function configPage(): string {
  const rows = Object.entries(Config.properties).map(([key, schema]) => {
    const { description, default: standard } = schema as { description?: string; default?: unknown };
    return `| \`${key}\` | ${standard === undefined ? "" : `\`${JSON.stringify(standard)}\``} | ${description ?? ""} |`;
  });
  return [
    "# Settings",
    NOTE,
    "Flags of `slipway up`; the names there have dashes.",
    "| setting | default | meaning |\n|---|---|---|",
    ...rows,
  ]
    .join("\n\n")
    .replaceAll("|\n\n|", "|\n|");
}

interface CatalogueEntry {
  readonly room: string;
  readonly code: string;
  readonly kind: string;
  readonly message: string;
}

/** Reads the flat catalogues: `code`, `kind` and `message` stand together in each factory. */
function errorEntries(): CatalogueEntry[] {
  const files = execFileSync(
    "git",
    [
      "ls-files",
      "--cached",
      "--others",
      "--exclude-standard",
      "server/src/**/*-errors.ts",
      "server/src/platform/**/*.ts",
      "gateway/src/gateway-errors.ts",
      "scoring/src/scorer-errors.ts",
    ],
    { encoding: "utf8" },
  );
  return [...new Set(files.trim().split("\n"))]
    .filter((file) => existsSync(file) && !file.endsWith(".test.ts"))
    .flatMap((file) => {
      const room =
        file
          .replace(/^(server\/src|gateway|scoring)\/(src\/)?/, (_, top) => (top === "server/src" ? "" : `${top}/`))
          .split("/")[0] ?? "";
      const source = readFileSync(file, "utf8");
      return [
        ...source.matchAll(
          /code:\s*"(\w+)",\s*(?:kind:\s*"(\w+)",\s*)?message:\s*((?:[^`"]*?)(?:`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*"))/g,
        ),
      ].map((match) => ({
        room,
        code: match[1] ?? "",
        kind: match[2] ?? "",
        message: readable(match[3] ?? ""),
      }));
    });
}

const nameRules = { imageNames, modelNames, serviceNames };

function readable(source: string): string {
  return source
    .replace(/^[^`"]*/, "")
    .slice(1, -1)
    .replaceAll(/\$\{(\w+Names)\.words\}/g, (_, rule: keyof typeof nameRules) => nameRules[rule].words)
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, "…")
    .replaceAll("\\`", "`")
    .replaceAll('\\"', '"')
    .replaceAll("|", "\\|")
    .replaceAll("\n", " ");
}

function errorPage(): string {
  const entries = errorEntries().sort((a, b) => a.room.localeCompare(b.room) || a.code.localeCompare(b.code));
  const seen = new Set<string>();
  const rows = entries
    .filter(({ room, code }) => !seen.has(`${room}/${code}`) && seen.add(`${room}/${code}`))
    .map(({ room, code, kind, message }) => `| \`${code}\` | ${room} | ${kind} | ${message} |`);
  return `# Error codes\n\n${NOTE}\n\nCodes are part of the API: programs test them, messages may change.\n\n| code | room | kind | message |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

function compatibilityPage(): string {
  const rows = compatibility.map(({ calls, state, note }) => `| ${calls} | ${state} | ${note} |`);
  return `# Calls of azureml-core 1.61\n\n${NOTE}\n\nWhat is not supported answers 501 with the reason from this table.\n\n| calls | state | |\n|---|---|---|\n${rows.join("\n")}\n`;
}

const pages: Readonly<Record<string, string>> = {
  "docs/reference/settings.md": `${configPage()}\n`,
  "docs/reference/compatibility.md": compatibilityPage(),
  "docs/reference/errors.md": errorPage(),
  "docs/reference/cli.md": `${cliPage(NOTE)}\n`,
};
const check = process.argv.includes("--check");
const old = Object.entries(pages).filter(([file, text]) => !existsSync(file) || readFileSync(file, "utf8") !== text);
for (const [file, text] of old) {
  if (check) console.error(`${file} is old: npm run fix`);
  else writeFileSync(file, text);
}
process.exit(check && old.length > 0 ? 1 : 0);
