// The dependency rule, by dependency-cruiser. It passes when it can parse nothing, so the number of modules is checked, too.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { Visitor } from "@swc/core/Visitor.js";
import { cruise } from "dependency-cruiser";

// The visitor that dependency-cruiser inherits does not know `using` yet: it is a list of declarations like `const`.
const { visitStatement } = Visitor.prototype;
Visitor.prototype.visitStatement = function (statement) {
  if (statement.type !== "UsingDeclaration") return visitStatement.call(this, statement);
  statement.decls = this.visitVariableDeclarators(statement.decls);
  return statement;
};

const folders = ["api", "server", "gateway", "scoring", "client", "cli", "e2e", "bench"].map(
  (folder) => `${folder}/src`,
);
const { options, forbidden } = createRequire(import.meta.url)("../.dependency-cruiser.cjs");
const { enhancedResolveOptions, ...cruiseOptions } = options;
const { output } = await cruise(
  folders,
  { ...cruiseOptions, validate: true, ruleSet: { forbidden } },
  enhancedResolveOptions,
);
for (const { rule, from, to, cycle } of output.summary.violations) {
  console.error(`${rule.name}: ${from} → ${cycle ? cycle.map((step) => step.name).join(" → ") : to}`);
}
const sources = execFileSync(
  "git",
  ["ls-files", "--cached", "--others", "--exclude-standard", ...folders.map((folder) => `${folder}/*.ts`)],
  { encoding: "utf8" },
);
const expected = sources.trim().split("\n").length;
const { totalCruised, totalDependenciesCruised } = output.summary;
console.log(`${totalCruised} modules, ${totalDependenciesCruised} dependencies`);
if (totalCruised < expected)
  console.error(`Only ${totalCruised} modules were read, but there are ${expected} files: the parser does not work.`);
process.exit(output.summary.violations.length === 0 && totalCruised >= expected ? 0 : 1);
