import { dirname } from "node:path";

/** A folder that programs find at another path. */
export interface PlacedFolder {
  readonly from: string;
  readonly at: string;
}

export interface BubblewrapFolders {
  /** bound read-only at the same path */
  readonly readable: readonly string[];
  /** bound read-only at another path, over whatever is there */
  readonly placed?: readonly PlacedFolder[];
  /** bound writable at the same path */
  readonly writable?: readonly string[];
  /** covered by empty folders before `readable` is bound, in case one of the system's folders contains them */
  readonly hidden: readonly string[];
  /** folder of the host that appears, writable, as {@link SANDBOX_HOME} */
  readonly home: string;
  readonly workingFolder: string;
}

export const SANDBOX_HOME = "/home/user";

/** Programs, libraries and public configuration; nothing with a secret in it, nothing of people. */
const SYSTEM = [
  "/usr",
  "/bin",
  "/sbin",
  "/lib",
  "/lib32",
  "/lib64",
  "/libx32",
  "/etc/alternatives",
  "/etc/ca-certificates",
  "/etc/fonts",
  "/etc/group",
  "/etc/host.conf",
  "/etc/hosts",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/nsswitch.conf",
  "/etc/os-release",
  "/etc/passwd",
  "/etc/pki/ca-trust",
  "/etc/pki/tls/certs",
  "/etc/protocols",
  "/etc/resolv.conf",
  "/etc/services",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
  "/etc/timezone",
  // ONNX Runtime and OpenBLAS count processors there.
  "/sys/devices/system/cpu",
  "/sys/devices/system/node",
];

/** Everything up to `--`. The network is shared: the program may call out. */
export function bubblewrapArguments(bwrap: string, folders: BubblewrapFolders): readonly string[] {
  const isSystem = (path: string) => SYSTEM.some((folder) => isWithin(path, folder));
  const hidden = folders.hidden.filter(isSystem);
  const binds = folders.readable.filter((path) => !isSystem(path) || hidden.some((one) => isWithin(path, one)));
  const { placed = [], writable = [] } = folders;
  return [
    bwrap,
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--die-with-parent",
    "--new-session",
    // Folders that bubblewrap makes on the way are closed to others, which would hide /etc/resolv.conf from them.
    ...ancestors(SYSTEM).flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...SYSTEM.flatMap((path) => ["--ro-bind-try", path, path]),
    ...["--proc", "/proc", "--dev", "/dev"],
    // bubblewrap's own /dev/shm belongs to its user; semaphores of multiprocessing are made there.
    ...["--perms", "1777", "--tmpfs", "/dev/shm", "--perms", "1777", "--tmpfs", "/tmp"],
    ...hidden.flatMap((path) => ["--perms", "0755", "--tmpfs", path]),
    ...ancestors([...binds, ...placed.map(({ at }) => at), ...writable, SANDBOX_HOME])
      .filter((path) => !isSystem(path) || hidden.some((one) => isWithin(path, one)))
      .flatMap((path) => ["--perms", "0755", "--dir", path]),
    ...binds.flatMap((path) => ["--ro-bind", path, path]),
    ...placed.flatMap(({ from, at }) => ["--ro-bind", from, at]),
    ...writable.flatMap((path) => ["--bind", path, path]),
    ...["--bind", folders.home, SANDBOX_HOME],
    ...["--chdir", folders.workingFolder],
    "--",
  ];
}

/** Every folder above the given ones but `/` and `/tmp`, outermost first, each once. */
function ancestors(paths: readonly string[]): readonly string[] {
  const found = new Set<string>();
  for (const path of paths) {
    for (let above = dirname(path); above !== "/" && above !== "/tmp"; above = dirname(above)) found.add(above);
  }
  return [...found].sort((one, other) => one.length - other.length);
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
