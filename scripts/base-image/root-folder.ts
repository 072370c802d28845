// The file system of a base image, made of unpacked packages. No package's own program is run, so any architecture can be made.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Not for running services: documentation, translations, tests, and what builds packages. Licences stay. */
const LEFT_OUT = [
  "usr/share/man",
  "usr/share/info",
  "usr/share/locale",
  "usr/share/lintian",
  "usr/share/bug",
  "usr/share/menu",
  "usr/share/applications",
  "usr/share/pixmaps",
  "usr/share/binfmts",
  "usr/share/zoneinfo/right",
  "var/cache",
  "var/lib/apt",
];
/** The number that images of Slipway run under; a name for it makes `getpass` and `os.path.expanduser` work. */
export const USER_ID = 65532;
const USERS = `root:x:0:0:root:/root:/bin/sh
slipway:x:${USER_ID}:${USER_ID}:slipway:/home/slipway:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`;
const GROUPS = `root:x:0:\nslipway:x:${USER_ID}:\nnogroup:x:65534:\n`;
const CERTIFICATES = "etc/ssl/certs/ca-certificates.crt";

/** Unpacks packages into `root`, which must be empty, and completes what their installation would have made. */
export function makeRoot(root: string, packages: readonly string[], pythonMinor: string): void {
  const at = (path: string) => join(root, path);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  // One place for programs and libraries, as every Debian of today has it; older packages still use the other names.
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    mkdirSync(at(`usr/${name}`), { recursive: true });
    symlinkSync(`usr/${name}`, at(name));
  }
  for (const file of packages) {
    const tar = execFileSync("dpkg-deb", ["--fsys-tarfile", file], { maxBuffer: 1024 ** 3 });
    const options = ["--keep-directory-symlink", "--no-same-owner", "--preserve-permissions"];
    execFileSync("tar", ["--extract", ...options, "--directory", root], { input: tar });
    // Scanners for known vulnerabilities look here in images without dpkg.
    const control = execFileSync("dpkg-deb", ["--field", file], { encoding: "utf8" });
    write(`var/lib/dpkg/status.d/${basename(file).split("_")[0]}`, control);
  }
  for (const path of LEFT_OUT) rmSync(at(path), { recursive: true, force: true });
  keepLicencesOnly(at("usr/share/doc"));
  for (const path of ["tmp", "run", "root", "home/slipway", "proc", "sys", "dev", "var/tmp"]) {
    mkdirSync(at(path), { recursive: true });
  }
  execFileSync("chmod", ["1777", at("tmp"), at("var/tmp")]);
  write("etc/passwd", USERS);
  write("etc/group", GROUPS);
  write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  write("etc/timezone", "Etc/UTC\n");
  write(CERTIFICATES, certificateBundle(at("usr/share/ca-certificates/mozilla")));
  mkdirSync(at("usr/lib/ssl"), { recursive: true });
  link(at("usr/lib/ssl/cert.pem"), `/${CERTIFICATES}`);
  link(at("usr/lib/ssl/certs"), "/etc/ssl/certs");
  link(at("usr/bin/sh"), "dash");
  link(at("usr/bin/python3"), `python${pythonMinor}`);
  link(at("etc/localtime"), "/usr/share/zoneinfo/Etc/UTC");
}

/**
 * Compiles the standard library, as the installation of the packages would: without it every start compiles anew.
 *
 * @param interpreter a root for this machine's processor with the same Python; its interpreter runs from where it lies
 */
export function compilePython(root: string, interpreter: string, pythonMinor: string): void {
  const libraries = join(interpreter, "usr/lib");
  const folders = readdirSync(libraries).filter((name) => name.endsWith("-linux-gnu"));
  const paths = folders.map((name) => join(libraries, name));
  const loaders = paths.flatMap((path) => readdirSync(path).map((name) => join(path, name)));
  const loader = loaders.find((path) => /\/ld-linux[^/]*\.so\.\d+$/.test(path));
  if (loader === undefined) throw new Error("The packages have no program loader for this machine.");
  const python = [loader, "--library-path", paths.join(":"), join(interpreter, `usr/bin/python${pythonMinor}`)];
  const compile = ["-m", "compileall", "-q", "-j", "1", "-s", root, "-p", "/", "--invalidation-mode", "unchecked-hash"];
  execFileSync(
    "env",
    [
      "-i",
      `PYTHONHOME=${join(interpreter, "usr")}`,
      "PYTHONHASHSEED=0",
      "PYTHONDONTWRITEBYTECODE=1",
      "LANG=C.UTF-8",
      ...python,
      "-S",
      ...compile,
      join(root, `usr/lib/python${pythonMinor}`),
    ],
    {
      cwd: "/",
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
}

function link(path: string, target: string): void {
  if (!existsSync(path)) symlinkSync(target, path);
}

function keepLicencesOnly(folder: string): void {
  for (const name of readdirSync(folder)) {
    const files = execFileSync("find", [join(folder, name), "-mindepth", "1", "-not", "-name", "copyright", "-print0"]);
    for (const file of files.toString().split("\0")) if (file !== "") rmSync(file, { recursive: true, force: true });
  }
}

/** What `update-ca-certificates` makes of the package. */
function certificateBundle(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(".crt"));
  if (files.length === 0) throw new Error("The package ca-certificates has no certificates.");
  return files
    .sort()
    .map((name) => `${readFileSync(join(folder, name), "utf8").trim()}\n`)
    .join("");
}
