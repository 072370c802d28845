/** A package of an operating system's own package manager. */
export interface SystemPackage {
  /** as package URLs name the kind */
  readonly kind: "deb" | "apk";
  readonly name: string;
  readonly version: string;
  /** in the words of the distribution */
  readonly architecture: string;
}

export interface Distribution {
  /** `debian`, `alpine` */
  readonly id: string;
  /** `12`; empty if it does not say, as Debian's unstable */
  readonly version: string;
}

const MAX_FIELD = 200;
const NAME = /^[A-Za-z0-9][A-Za-z0-9+._-]*$/;

/** Debian's list of what is installed (deb822): one file for all, or one for each in slim images. */
export function dpkgPackages(text: string): SystemPackage[] {
  return stanzas(text, /^([A-Za-z-]+): ?(.*)$/).flatMap((field) => {
    // Lists of a single package do not say; in a list of all, others were removed and left their settings.
    const state = field.get("Status") ?? "install ok installed";
    const found = systemPackage("deb", field.get("Package"), field.get("Version"), field.get("Architecture"));
    return state.endsWith(" installed") ? found : [];
  });
}

/** Alpine's list of what is installed. */
export function apkPackages(text: string): SystemPackage[] {
  return stanzas(text, /^([A-Za-z]):(.*)$/).flatMap((field) =>
    systemPackage("apk", field.get("P"), field.get("V"), field.get("A")),
  );
}

/** os-release(5) */
export function distributionIn(text: string): Distribution | null {
  const fields = new Map(
    text.split("\n").map((line) => {
      const [name = "", value = ""] = line.split(/=(.*)/s);
      return [name, value.trim().replace(/^(["'])(.*)\1$/, "$2")];
    }),
  );
  const [id = "", version = ""] = [fields.get("ID"), fields.get("VERSION_ID")];
  return /^[a-z0-9._-]{1,50}$/.test(id) ? { id, version: /^[\w.-]{0,50}$/.test(version) ? version : "" } : null;
}

/** Names and versions are compared with what exists elsewhere, so what cannot be one is left out. */
function systemPackage(
  kind: SystemPackage["kind"],
  name: string | undefined,
  version: string | undefined,
  architecture: string | undefined,
): SystemPackage[] {
  if (name === undefined || version === undefined || !NAME.test(name) || !/^[\w.+:~-]+$/.test(version)) return [];
  return [{ kind, name, version, architecture: NAME.test(architecture ?? "") ? (architecture ?? "") : "" }];
}

/** Paragraphs of fields; lines that go on and fields that are longer than any that matters are left out. */
function stanzas(text: string, field: RegExp): Map<string, string>[] {
  return text.split(/\n{2,}/).map((paragraph) => {
    const fields = new Map<string, string>();
    for (const line of paragraph.split("\n")) {
      const [, name, value = ""] = line.length > MAX_FIELD ? [] : (field.exec(line) ?? []);
      if (name !== undefined && !fields.has(name)) fields.set(name, value.trim());
    }
    return fields;
  });
}
