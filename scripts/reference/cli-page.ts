import { homedir } from "node:os";
import { createProgram } from "../../cli/src/program.ts";

type Command = ReturnType<typeof createProgram>;

const WIDTH = 110;

/** What `--output json` prints. Objects of the wire may get members; none of those named in the wire contract goes away. */
const results: Readonly<Record<string, string>> = {
  status:
    "`{ url, caFingerprint?, workspace, models, images, services, operations }`; counts, services as below, the latest operations",
  "model register": "the model, as `GET models/{id}` answers it",
  "model list": "array of models",
  "model show": "the model",
  "model download": "`{ model, files }`; the paths that were written",
  "model delete": "`{ deleted }`",
  "image create": "the image, as `GET images/{id}` answers it",
  "image list": "array of images",
  "image show":
    "the image with `contents`: layers, environment with packages, base, models, code, proofs (`null` if it is not built); with `--dockerfile` `{ image, dockerfile }`",
  "image diff":
    "`{ from, to, sharedBytes, packages, basePackages, models, code, environmentVariables, settings }`, each change `{ name, from, to }`; with `--code` and `patches`, array of `{ path, patch }`",
  "image rebuild": "the new image with `comparison`, as `image diff` prints it (`null` if the first was not built)",
  "image proofs": "array of `{ type, artifactType, digest }`; with `--type` `{ image, type, document }`",
  "image push": "`{ image, pushed }`; the reference in the other registry",
  "image import": "the image",
  "image logs": "`{ image, content }`",
  "image delete": "`{ deleted }`",
  "service deploy": "`{ service, curl }`",
  "service update": "the service, as `GET services/{name}` answers it",
  "service run": "the answer of the service",
  "service logs": "`{ service, content }`",
  "service keys": "`{ primaryKey, secondaryKey }`",
  "service list": "array of services",
  "service show": "the service",
  "service delete": "`{ deleted }`",
  "operation list": "array of operations, without their logs",
  "operation show": "the operation, as `GET operations/{id}` answers it",
  "operation wait": "the operation",
  "operation cancel": "`{ cancelRequested }`",
  "registry credentials show": "`{ loginServer, username, passwords }`, each password `{ name, value }`",
  "registry credentials renew": "the same",
  "registry credentials disable": "`{ registry, adminUserEnabled }`",
  "registry credentials enable": "`{ registry, adminUserEnabled }`",
  "registry gc": "`{ operation, log }`; the lines of its log",
  "workspace list": "array of `{ subscriptionId, resourceGroup, name }`",
  "workspace show": "the workspace resource",
  "workspace create": "the workspace resource",
  "access create": "`{ clientId, clientSecret, tenantId, name, createdAt }`",
  "access list": "array of `{ clientId, name, createdAt }`",
  "access revoke": "`{ revoked }`",
};

/** Every command with its help, and what programs can rely on. */
export function cliPage(note: string): string {
  const commands = leaves(createProgram("0.0.0"), []);
  const missing = commands.filter(([path, command]) => hasJson(command) && results[path] === undefined);
  if (missing.length > 0)
    throw new Error(`What does --output json of ${missing.map(([path]) => path).join(", ")} print?`);
  const rows = Object.entries(results).map(([path, result]) => `| \`${path}\` | ${result} |`);
  const helps = commands.map(([path, command]) => `## slipway ${path}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``);
  return [
    "# Command line",
    note,
    'Results go to standard output, progress and errors to standard error. With `--output json` there is no progress, and an error is\n`{ "error": { code, message, statusCode?, details } }`.',
    "| exit code | meaning |\n|---|---|\n| 0 | done |\n| 1 | the work was accepted and failed: a build, a deployment, score.py |\n| 2 | the command line is wrong |\n| 3 | the server refused: not found, not valid, in use, not allowed |\n| 4 | no server answers, or it does not know you |\n| 130 | interrupted |",
    `| command | \`--output json\` prints |\n|---|---|\n${rows.join("\n")}`,
    ...helps,
  ].join("\n\n");
}

function leaves(command: Command, path: readonly string[]): [string, Command][] {
  if (command.commands.length === 0) return [[path.join(" "), command]];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

function hasJson(command: Command): boolean {
  return command.options.some((option) => option.long === "--output");
}

function helpOf(command: Command): string {
  let text = "";
  const writeOut = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut, getOutHelpWidth: () => WIDTH, getOutHasColors: () => false });
  command.outputHelp();
  return text.trimEnd().replaceAll(homedir(), "~");
}
