import { expect, test } from "vitest";
import { bubblewrapArguments } from "./bubblewrap.ts";

const folders = { readable: [], hidden: [], home: "/data/run/home", workingFolder: "/data/app" };

test("what is readable is bound, and the folders above it are made open for another user", () => {
  const args = bubblewrapArguments("bwrap", { ...folders, readable: ["/data/app", "/tmp/x/tree"] }).join(" ");
  expect(args).toContain("--perms 0755 --dir /data ");
  expect(args).toContain("--perms 0755 --dir /tmp/x ");
  expect(args.indexOf("--tmpfs /tmp ")).toBeLessThan(args.indexOf("--dir /tmp/x "));
  expect(args).toContain("--ro-bind /data/app /data/app --ro-bind /tmp/x/tree /tmp/x/tree");
  expect(args).not.toContain("--dir /tmp --");
  expect(args.endsWith("--bind /data/run/home /home/user --chdir /data/app --")).toBe(true);
});

test("a placed folder lies at its other path only", () => {
  const args = bubblewrapArguments("bwrap", { ...folders, placed: [{ from: "/data/tree", at: "/opt/env" }] }).join(" ");
  expect(args).toContain("--perms 0755 --dir /opt ");
  expect(args).toContain("--ro-bind /data/tree /opt/env ");
  expect(args).not.toContain("--ro-bind /data/tree /data/tree");
});

test("what the system's folders contain is not bound again", () => {
  const args = bubblewrapArguments("bwrap", { ...folders, readable: ["/usr/lib/python3"] });
  expect(args).not.toContain("/usr/lib/python3");
  expect(args).not.toContain("--ro-bind");
});

test("a hidden folder among the system's is covered before what is readable in it is bound", () => {
  const readable = ["/usr/local/data/images/one"];
  const args = bubblewrapArguments("bwrap", { ...folders, readable, hidden: ["/usr/local/data"] }).join(" ");
  const covered = args.indexOf("--tmpfs /usr/local/data ");
  expect(covered).toBeGreaterThan(args.indexOf("--ro-bind-try /usr /usr"));
  expect(args.indexOf("--ro-bind /usr/local/data/images/one")).toBeGreaterThan(covered);
  expect(args).toContain("--perms 0755 --dir /usr/local/data/images ");
  expect(args).not.toContain("--dir /usr/local ");
});

test("a hidden folder elsewhere is not even there", () => {
  const args = bubblewrapArguments("bwrap", { ...folders, hidden: ["/root/.data"] });
  expect(args).not.toContain("/root/.data");
});
