import { expect, test } from "vitest";
import { apkPackages, distributionIn, dpkgPackages } from "./system-packages.ts";

test("Debian's list names what is installed, not what was removed", () => {
  const list = [
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u9\nDescription: GNU C\n Package: not-me\n",
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n",
    "Package: tzdata\nArchitecture: all\nVersion: 2025b-0+deb12u1\n",
  ].join("\n");
  expect(dpkgPackages(list)).toEqual([
    { kind: "deb", name: "libc6", version: "2.36-9+deb12u9", architecture: "amd64" },
    { kind: "deb", name: "tzdata", version: "2025b-0+deb12u1", architecture: "all" },
  ]);
});

test("Alpine's list", () => {
  expect(apkPackages("C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nT:the libc\n\nP:busybox\nV:1.36\nA:x86_64\n")).toEqual([
    { kind: "apk", name: "musl", version: "1.2.5-r0", architecture: "x86_64" },
    { kind: "apk", name: "busybox", version: "1.36", architecture: "x86_64" },
  ]);
});

test("what cannot be a package is left out", () => {
  expect(
    dpkgPackages("Package: a b\nVersion: 1\n\nPackage: \u001b[2J\nVersion: 1\n\nVersion: 1\n\nPackage: x\n"),
  ).toEqual([]);
  expect(dpkgPackages(`Package: ${"x".repeat(300)}\nVersion: 1\n`)).toEqual([]);
  expect(dpkgPackages("\u0000\ufffd".repeat(1000))).toEqual([]);
  expect(apkPackages("")).toEqual([]);
});

test("the distribution", () => {
  const release = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n';
  expect(distributionIn(release)).toEqual({ id: "debian", version: "12" });
  expect(distributionIn("ID=debian\n")).toEqual({ id: "debian", version: "" });
  expect(distributionIn('ID="\u001b[2J"\n')).toBeNull();
  expect(distributionIn("")).toBeNull();
});
