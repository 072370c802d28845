import type { ImagePlan } from "../image.ts";
import { dockerStepInvalid, dockerStepUnsupported } from "./docker-steps-errors.ts";
import { readWords, type Word } from "./docker-steps-words.ts";

/** One step; its words are read, variables in them have no value yet. */
export type DockerStep = { readonly line: number } & (
  | { readonly do: "env" | "label"; readonly pairs: readonly (readonly [Word, Word])[] }
  | { readonly do: "workdir" | "user"; readonly value: Word }
  | { readonly do: "expose"; readonly ports: readonly Word[] }
  | { readonly do: "copy"; readonly sources: readonly Word[]; readonly destination: Word }
  /** `text` as it was written; variables in `command` are the shell's business */
  | { readonly do: "run"; readonly text: string; readonly command: readonly string[] }
);

export interface DockerSteps {
  /** the image that the steps stand on, if they say so */
  readonly from: string | null;
  readonly steps: readonly DockerStep[];
}

const MAX_CHARACTERS = 64 * 1024;
const MAX_STEPS = 500;

/**
 * Reads the Docker steps of an image (wire contract 7.1 `dockerFileUri`, 13.1 `baseDockerfile`).
 *
 * @throws {AppError} DockerStepInvalid, DockerStepUnsupported, each with the line
 */
export function parseDockerSteps(text: string): DockerSteps {
  if (text.length > MAX_CHARACTERS) throw dockerStepInvalid(1, `the steps have more than ${MAX_CHARACTERS} characters`);
  if (text.includes("\0")) throw dockerStepInvalid(1, "there is a NUL character in the steps");
  if (/^\s*#\s*escape\s*=\s*`/im.test(text)) throw dockerStepInvalid(1, "only \\ continues and escapes");
  const instructions = readInstructions(text.replace(/^\uFEFF/, ""));
  if (instructions.length > MAX_STEPS) throw dockerStepInvalid(1, `there are more than ${MAX_STEPS} steps`);
  let from: string | null = null;
  const steps: DockerStep[] = [];
  for (const [index, instruction] of instructions.entries()) {
    if (instruction.name === "FROM") {
      if (index > 0) throw unsupported(instruction, "an image has one stage, and FROM stands first");
      from = fromOf(instruction);
    } else {
      steps.push(readStep(instruction));
    }
  }
  return { from, steps };
}

/** The steps of a planned image; null without any. */
export function stepsOf({ dockerSteps }: Pick<ImagePlan, "dockerSteps">): DockerSteps | null {
  return dockerSteps ? parseDockerSteps(dockerSteps) : null;
}

interface Instruction {
  readonly line: number;
  /** in capitals */
  readonly name: string;
  readonly rest: string;
}

/** Joins continued lines; comments and empty lines fall out, also in between. */
function readInstructions(text: string): Instruction[] {
  const found: Instruction[] = [];
  let begun: { line: number; text: string } | undefined;
  const end = () => {
    if (begun === undefined) return;
    const [, name = "", rest = ""] = /^\s*(\S+)\s*([\s\S]*)$/.exec(begun.text) ?? [];
    if (name !== "") found.push({ line: begun.line, name: name.toUpperCase(), rest: rest.trim() });
    begun = undefined;
  };
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    if (/^\s*(#|$)/.test(raw)) continue;
    const continued = /^(.*?)\\[ \t]*$/.exec(raw);
    begun ??= { line: index + 1, text: "" };
    begun.text += continued?.[1] ?? raw;
    if (continued === null) end();
  }
  end();
  return found;
}

function readStep(instruction: Instruction): DockerStep {
  const { line, name, rest } = instruction;
  if (rest === "") throw dockerStepInvalid(line, `${name} says nothing`);
  switch (name) {
    case "ENV":
      return { line, do: "env", pairs: pairsOf(instruction) };
    case "LABEL":
      return { line, do: "label", pairs: pairsOf(instruction) };
    case "WORKDIR":
      return { line, do: "workdir", value: oneWord(instruction) };
    case "USER":
      return { line, do: "user", value: oneWord(instruction) };
    case "EXPOSE":
      return { line, do: "expose", ports: words(instruction, rest) };
    case "COPY":
      return copyOf(instruction);
    case "RUN":
      return runOf(instruction);
    case "CMD":
    case "ENTRYPOINT":
    case "HEALTHCHECK":
      throw unsupported(instruction, "Slipway starts and watches the image by its own program");
    case "ADD":
      throw unsupported(instruction, "it fetches and unpacks; use COPY");
    case "ARG":
      throw unsupported(instruction, "nobody gives arguments to the build; use ENV");
    default:
      throw unsupported(instruction, `${name.slice(0, 20)} is not known`);
  }
}

function fromOf(instruction: Instruction): string {
  const [reference = "", as, stage, ...more] = instruction.rest.split(/\s+/);
  if (reference === "" || reference.startsWith("--"))
    throw unsupported(instruction, "FROM names an image, nothing else");
  const isNamed = as?.toUpperCase() === "AS" && stage !== undefined && more.length === 0;
  if (as !== undefined && !isNamed) throw dockerStepInvalid(instruction.line, "FROM names one image");
  if (reference === "scratch") throw unsupported(instruction, "an image needs an operating system");
  if (reference.includes("$")) throw unsupported(instruction, "no variable has a value before FROM");
  return reference;
}

/** `KEY=VALUE …`, or the old form `KEY the whole rest`. */
function pairsOf(instruction: Instruction): (readonly [Word, Word])[] {
  const { line, rest, name } = instruction;
  const old = /^([^\s=]+)\s+([\s\S]*)$/.exec(rest);
  if (old !== null) {
    const value = words(instruction, `"${(old[2] ?? "").replaceAll('"', '\\"')}"`);
    return [[words(instruction, old[1] ?? "")[0] ?? [], value[0] ?? []]];
  }
  return words(instruction, rest).map((word) => {
    const [first, ...others] = word;
    const equals = first !== undefined && "text" in first ? first.text.indexOf("=") : -1;
    if (first === undefined || !("text" in first) || equals < 1) {
      throw dockerStepInvalid(line, `${name} takes KEY=VALUE`);
    }
    const key = [{ text: first.text.slice(0, equals) }];
    const begin = first.text.slice(equals + 1);
    return [key, [...(begin === "" ? [] : [{ text: begin }]), ...others]];
  });
}

/** A shell's own `<<` has a blank after it, or stands within a word. */
const HERE_DOCUMENT = /(^|\s)\d*<<-?["']?[A-Za-z_]/;

/** The shell's form, or the other one, which is a list of texts in JSON; what is no such list is the shell's. */
function runOf(instruction: Instruction): DockerStep {
  const { line, rest: text } = instruction;
  if (HERE_DOCUMENT.test(text)) throw unsupported(instruction, "a script cannot stand in the steps themselves");
  const flag = /^--\S*/.exec(text)?.[0];
  if (flag !== undefined) throw unsupported(instruction, `${flag.slice(0, 40)} cannot be had`);
  const words = text.startsWith("[") ? textsIn(text) : undefined;
  if (words?.length === 0 || words?.[0] === "") throw dockerStepInvalid(line, "RUN [ … ] names no program");
  return { line, do: "run", text, command: words ?? ["/bin/sh", "-c", text] };
}

function copyOf(instruction: Instruction): DockerStep {
  const { line, rest } = instruction;
  if (HERE_DOCUMENT.test(rest)) throw unsupported(instruction, "a file cannot stand in the steps themselves");
  const flag = /^--\S*/.exec(rest)?.[0];
  if (flag !== undefined) throw unsupported(instruction, `${flag.slice(0, 40)} cannot be had: files belong to root`);
  const all = rest.startsWith("[") ? jsonWords(instruction) : words(instruction, rest);
  const destination = all.at(-1);
  if (destination === undefined || all.length < 2)
    throw dockerStepInvalid(line, "COPY takes sources and a destination");
  return { line, do: "copy", sources: all.slice(0, -1), destination };
}

/** The form for names with blanks: each text is one word, variables in it have their value as elsewhere. */
function jsonWords(instruction: Instruction): Word[] {
  return jsonTexts(instruction).map((text) => words(instruction, JSON.stringify(text))[0] ?? []);
}

function jsonTexts({ line, rest }: Instruction): readonly string[] {
  const texts = textsIn(rest);
  if (texts === undefined) {
    throw dockerStepInvalid(line, 'COPY [ … ] takes texts in double quotes: COPY ["a b", "/c/"]');
  }
  return texts;
}

function textsIn(json: string): readonly string[] | undefined {
  try {
    const list: unknown = JSON.parse(json);
    return Array.isArray(list) && list.every((item) => typeof item === "string") ? list : undefined;
  } catch {
    return undefined;
  }
}

function oneWord(instruction: Instruction): Word {
  const [word, ...more] = words(instruction, instruction.rest);
  if (word === undefined || more.length > 0) {
    throw dockerStepInvalid(instruction.line, `${instruction.name} takes one word; put quotes around it`);
  }
  return word;
}

function words({ line }: Instruction, source: string): Word[] {
  try {
    return readWords(source);
  } catch (error) {
    throw dockerStepInvalid(line, error instanceof Error ? error.message : "it cannot be read");
  }
}

const unsupported = ({ line, name, rest }: Instruction, reason: string) =>
  dockerStepUnsupported(line, `${name} ${rest}`, reason);
