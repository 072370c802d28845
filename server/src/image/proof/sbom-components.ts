import type { Models } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import parseLicenseExpression from "spdx-expression-parse";
import { type LockedPackage, parseLock } from "../../environment/index.ts";
import type { BaseContents } from "../base/base-contents.ts";
import { modelFolder, type PlannedModel } from "../image.ts";
import type { NodeRelease } from "../runtime/node-release.ts";
import type { RuntimePackage } from "../runtime/runtime-contents.ts";
import type { InstalledPackage } from "./environment-contents.ts";
import type { CondaOrigin } from "./found-package.ts";
import type { ProofFacts } from "./image-proof.ts";

/** Loaded when the first bill is written, so it is handed around. */
type Library = typeof import("@cyclonedx/cyclonedx-library");

export function imageComponent(library: Library, { image, digest }: ProofFacts): Models.Component {
  const { Models, Enums } = library;
  return new Models.Component(Enums.ComponentType.Container, image.name, {
    version: digest,
    bomRef: "image",
    purl: purl("oci", image.name, digest),
    hashes: sha256(library, digest),
  });
}

/** In the order in which they lie in the image. */
export function* components(library: Library, facts: ProofFacts): Iterable<Models.Component> {
  const { Models, Enums } = library;
  const { base, environment, plan, runtime } = facts;
  if (base !== null) {
    yield new Models.Component(Enums.ComponentType.Container, base.reference, {
      version: base.digest,
      bomRef: "base",
      hashes: sha256(library, base.digest),
    });
  }
  if (base !== null) yield* systemComponents(library, base.contents);
  if (runtime.node !== null) yield nodeComponent(library, runtime.node);
  for (const one of runtime.packages) yield runtimeComponent(library, one);
  if (environment !== null) {
    const locked = new Map(parseLock(environment.lock).map((one) => [one.name, one]));
    for (const one of environment.contents.packages) yield packageComponent(library, one, locked.get(one.name));
  }
  for (const model of plan.models) yield modelComponent(library, model);
  for (const { path, digest } of plan.code) {
    yield new Models.Component(Enums.ComponentType.File, path, {
      bomRef: `code:${path}@${digest}`,
      hashes: sha256(library, digest),
    });
  }
}

function* systemComponents(library: Library, { distribution, packages }: BaseContents): Iterable<Models.Component> {
  const { Models, Enums } = library;
  const { id = "", version = "" } = distribution ?? {};
  if (distribution !== null) {
    yield new Models.Component(Enums.ComponentType.OperatingSystem, id, { version, bomRef: "operating-system" });
  }
  for (const one of packages) {
    const known = { arch: one.architecture, distro: version === "" ? "" : `${id}-${version}` };
    const qualifiers = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== ""));
    const address = new PackageURL(one.kind, id || undefined, one.name, one.version, qualifiers).toString();
    yield new Models.Component(Enums.ComponentType.Library, one.name, {
      version: one.version,
      bomRef: address,
      purl: address,
    });
  }
}

function nodeComponent(library: Library, { packageName, version, integrity }: NodeRelease): Models.Component {
  const { Models, Enums } = library;
  const address = purl("npm", packageName, version);
  const hash = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return new Models.Component(Enums.ComponentType.Platform, "node", {
    version,
    bomRef: address,
    purl: address,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    hashes: new Models.HashDictionary([[Enums.HashAlgorithm["SHA-512"], hash]]),
  });
}

function runtimeComponent(library: Library, { name, version, license }: RuntimePackage): Models.Component {
  const { Models, Enums } = library;
  const address = purl("npm", name, version);
  return new Models.Component(Enums.ComponentType.Library, name, {
    version,
    bomRef: address,
    purl: address,
    licenses: licensesOf(library, license === null ? [] : [license]),
  });
}

function packageComponent(
  library: Library,
  installed: InstalledPackage,
  locked: LockedPackage | undefined,
): Models.Component {
  const { Models, Enums } = library;
  const { name, version, licenses, conda } = installed;
  if (conda !== undefined) return condaComponent(library, installed, conda);
  const address = purl("pypi", name, version);
  const archives = [...(locked?.text ?? "").matchAll(/--hash=(sha256:[0-9a-f]{64})/g)].map(
    ([, digest]) => digest ?? "",
  );
  const [only, ...others] = archives;
  return new Models.Component(Enums.ComponentType.Library, name, {
    version,
    bomRef: address,
    purl: address,
    licenses: licensesOf(library, licenses),
    ...(only !== undefined && others.length === 0 ? { hashes: sha256(library, only) } : {}),
    // A lock that allows several archives does not say which one an installer took.
    ...(others.length === 0
      ? {}
      : {
          externalReferences: new Models.ExternalReferenceRepository(
            archives.map(
              (digest) =>
                new Models.ExternalReference(address, Enums.ExternalReferenceType.Distribution, {
                  comment: "one of the archives that the lock allows",
                  hashes: sha256(library, digest),
                }),
            ),
          ),
        }),
  });
}

function condaComponent(
  library: Library,
  { name, version, licenses }: InstalledPackage,
  { build, url, sha256: archive }: CondaOrigin,
): Models.Component {
  const { Models, Enums } = library;
  const [channel = "", subdir = ""] = url.split("/").slice(-3);
  const qualifiers = Object.fromEntries(Object.entries({ build, channel, subdir }).filter(([, value]) => value !== ""));
  const address = new PackageURL("conda", undefined, name, version, qualifiers).toString();
  return new Models.Component(Enums.ComponentType.Library, name, {
    version,
    bomRef: address,
    purl: address,
    licenses: licensesOf(library, licenses),
    ...(archive === null ? {} : { hashes: sha256(library, archive) }),
  });
}

function modelComponent(library: Library, model: PlannedModel): Models.Component {
  const { Models, Enums } = library;
  const bomRef = `model:${model.id}`;
  const [only, ...others] = model.files;
  return new Models.Component(Enums.ComponentType.MachineLearningModel, model.name, {
    version: String(model.version),
    bomRef,
    ...(only !== undefined && others.length === 0 ? { hashes: sha256(library, only.digest) } : {}),
    components: new Models.ComponentRepository(
      model.files.map(
        ({ path, digest }) =>
          new Models.Component(Enums.ComponentType.File, `${modelFolder(model)}/${path}`, {
            bomRef: `${bomRef}/${path}`,
            hashes: sha256(library, digest),
          }),
      ),
    ),
  });
}

/** The schema allows either one expression or any number of names. */
function licensesOf({ Models, Contrib }: Library, texts: readonly string[]): Models.LicenseRepository {
  const factory = new Contrib.License.Factories.LicenseFactory(parseLicenseExpression);
  const [only, ...others] = texts;
  if (only !== undefined && others.length === 0) return new Models.LicenseRepository([factory.makeFromString(only)]);
  return new Models.LicenseRepository(texts.map((text) => factory.makeDisjunctive(text)));
}

/** @param digest `sha256:…` */
function sha256({ Models, Enums }: Library, digest: string): Models.HashDictionary {
  return new Models.HashDictionary([[Enums.HashAlgorithm["SHA-256"], digest.replace("sha256:", "")]]);
}

/** @param name of npm packages with the scope */
function purl(type: string, name: string, version: string): string {
  const [, scope, rest] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  return new PackageURL(type, scope, rest ?? name, version).toString();
}
