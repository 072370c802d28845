// Every relative link in the documentation names a file that exists.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const pages = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
  encoding: "utf8",
})
  .trim()
  .split("\n");
const broken = pages.filter(existsSync).flatMap((page) =>
  [...readFileSync(page, "utf8").matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
    .map((match) => match[1])
    .filter((link) => !/^[a-z]+:/.test(link) && !existsSync(join(dirname(page), link)))
    .map((link) => `${page}: ${link}`),
);
for (const line of broken) console.error(`No such file: ${line}`);
process.exit(broken.length === 0 ? 0 : 1);
