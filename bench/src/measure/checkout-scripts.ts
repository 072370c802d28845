/** The checkout's scripts are plain JavaScript without types; here are those that benchmarks share with them. */
interface DebianPackage {
  readonly name: string;
  readonly program: string;
  readonly why: string;
}

const script = (name: string) => import(new URL(`../../../scripts/${name}.js`, import.meta.url).href);

const { ensureDebianPackages } = (await script("debian-packages")) as {
  ensureDebianPackages(packages: readonly DebianPackage[]): string[];
};
const { ensureGenuineClient } = (await script("genuine-client")) as {
  ensureGenuineClient(): { readonly python?: string; readonly reason?: string };
};
const { makePythonEnvironment } = (await script("quickstart/python-environment")) as {
  makePythonEnvironment(folder: string, packages: readonly string[]): Promise<string>;
};

export { ensureDebianPackages, ensureGenuineClient, makePythonEnvironment };
