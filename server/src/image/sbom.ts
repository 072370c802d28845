import { createHash } from "node:crypto";
import type { Models } from "@cyclonedx/cyclonedx-library";
import { PackageURL } from "packageurl-js";
import parseLicenseExpression from "spdx-expression-parse";
import { type LockedPackage, parseLock } from "../environment/index.ts";
import type { InstalledPackage } from "./environment-contents.ts";
import { modelFolder, type PlannedModel } from "./image.ts";
import type { ProofFacts } from "./image-proof.ts";
import type { NodeRelease } from "./node-release.ts";
import type { RuntimePackage } from "./runtime-contents.ts";

type Library = typeof import("@cyclonedx/cyclonedx-library");

/** The bill of materials of an image: CycloneDX 1.6, as JSON. The same image gives the same bytes. */
export async function sbomOf(facts: ProofFacts): Promise<string> {
  // Loading it takes longer than writing a bill, and a server that builds nothing needs none.
  const library = await import("@cyclonedx/cyclonedx-library");
  const { Models, Enums, Serialize, Spec } = library;
  const image = imageComponent(library, facts);
  // References must differ, and the library makes up random ones for those that do not.
  const contents = [...new Map([...components(library, facts)].map((one) => [one.bomRef.value, one])).values()];
  for (const component of contents) image.dependencies.add(component.bomRef);
  const bom = new Models.Bom({
    serialNumber: `urn:uuid:${derivedUuid(`sbom:${facts.digest}`)}`,
    metadata: new Models.Metadata({
      component: image,
      tools: new Models.Tools({
        components: new Models.ComponentRepository([
          new Models.Component(Enums.ComponentType.Application, "slipway", {
            version: facts.slipway,
            bomRef: "tool:slipway",
          }),
        ]),
      }),
    }),
    components: new Models.ComponentRepository(contents),
  });
  const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6));
  // Its own sorting goes by the language of the machine.
  return `${serializer.serialize(bom, { sortLists: false, space: 1 })}\n`;
}

function imageComponent(library: Library, { image, digest }: ProofFacts): Models.Component {
  const { Models, Enums } = library;
  return new Models.Component(Enums.ComponentType.Container, image.name, {
    version: digest,
    bomRef: "image",
    purl: purl("oci", image.name, digest),
    hashes: sha256(library, digest),
  });
}

function* components(library: Library, facts: ProofFacts): Iterable<Models.Component> {
  const { Models, Enums } = library;
  const { base, environment, plan, runtime } = facts;
  if (base !== null) {
    yield new Models.Component(Enums.ComponentType.Container, base.reference, {
      version: base.digest,
      bomRef: "base",
      hashes: sha256(library, base.digest),
    });
  }
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
  const { name, version, licenses } = installed;
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

/** A UUID of the free form (RFC 9562, version 8) that is the same for the same text. */
function derivedUuid(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join("-");
}
