/** The version of py-rattler that solves and links conda packages. Change version and hashes together. */
export const RATTLER_VERSION = "0.28.0";

/** Its wheels are made for this version of Python and newer ones. */
export const RATTLER_PYTHON = [3, 10] as const;

/** sha256 of its wheels: an index that answers with other files is refused. */
export const RATTLER_WHEEL_HASHES: readonly string[] = [
  // manylinux x86_64
  "4f4ab1d34d5394e7ce130a86e59009c95ace4f5757d9c3af04de1351bcea47eb",
  // manylinux aarch64
  "61b24202374188e72130f1b3dc63b455befaafc3e49e5481a38b6a6c8828c1e0",
  // musllinux x86_64
  "1c566fb1b0fc3d0d892b7ba021d6863aaff1f476c245178a07f560729aa7ecdb",
  // musllinux aarch64
  "6218478af88d45ac1e08e605ede4f67bbe4ffbbbb40b5e32622a4746f98fe331",
  // macOS x86_64
  "6a0312ba34d4e709fe5f20df6de617b9a4cd1e9293f2c8eaad2fb9c699a26746",
  // macOS arm64
  "d26db63e41e6efaff75c3d89040b2c78b4887be8e782dff281fb426835308b2b",
];
