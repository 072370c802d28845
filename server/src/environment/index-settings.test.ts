import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeIndexSettings, parsePipConfiguration, readIndexSettings } from "./index-settings.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "index-settings-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const read = (env: Record<string, string>) => readIndexSettings({ HOME: home, PIP_CONFIG_FILE: "/dev/null", ...env });

describe("readIndexSettings", () => {
  it("takes pip's settings where uv has none of its own", async () => {
    const { variables } = await read({
      PIP_INDEX_URL: "https://one.example.test/simple",
      PIP_EXTRA_INDEX_URL: "https://two.example.test/simple https://three.example.test/simple",
      PIP_FIND_LINKS: "/wheels https://four.example.test",
      PIP_CERT: "/certs/ca.pem",
      HTTPS_PROXY: "http://proxy.example.test:3128",
    });
    expect(variables).toMatchObject({
      UV_DEFAULT_INDEX: "https://one.example.test/simple",
      UV_INDEX: "https://two.example.test/simple https://three.example.test/simple",
      UV_FIND_LINKS: "/wheels,https://four.example.test",
      SSL_CERT_FILE: "/certs/ca.pem",
      HTTPS_PROXY: "http://proxy.example.test:3128",
    });
  });

  it("leaves uv's own settings alone", async () => {
    const { variables } = await read({
      PIP_INDEX_URL: "https://pip.example.test/simple",
      PIP_CERT: "/certs/pip.pem",
      UV_INDEX_URL: "https://uv.example.test/simple",
      SSL_CERT_FILE: "/certs/own.pem",
      UV_INDEX_CORP_USERNAME: "me",
    });
    expect(variables).toMatchObject({
      UV_INDEX_URL: "https://uv.example.test/simple",
      SSL_CERT_FILE: "/certs/own.pem",
      UV_INDEX_CORP_USERNAME: "me",
    });
    expect(variables.UV_DEFAULT_INDEX).toBeUndefined();
  });

  it("keeps out what would change where and how packages are installed, and everything unrelated", async () => {
    const { variables } = await read({
      ...{
        UV_CACHE_DIR: "/x",
        UV_TARGET: "/x",
        UV_NO_VERIFY_HASHES: "1",
        UV_PYTHON: "3.8",
        UV_NO_BUILD: "1",
        UV_LINK_MODE: "symlink",
      },
      ...{ SLIPWAY_SECRET: "s", LD_PRELOAD: "/x.so", PIP_TARGET: "/x" },
    });
    expect(variables).toEqual({ XDG_CONFIG_HOME: join(home, ".config") });
  });

  it("reads pip's configuration file, below pip's variables", async () => {
    const file = join(home, "pip.conf");
    await writeFile(
      file,
      "[global]\nindex-url = https://file.example.test/simple\nproxy = http://proxy.example.test\n[list]\nformat = x\n",
    );
    expect((await read({ PIP_CONFIG_FILE: file })).variables).toMatchObject({
      UV_DEFAULT_INDEX: "https://file.example.test/simple",
      HTTPS_PROXY: "http://proxy.example.test",
    });
    const { variables } = await read({ PIP_CONFIG_FILE: file, PIP_INDEX_URL: "https://variable.example.test/simple" });
    expect(variables.UV_DEFAULT_INDEX).toBe("https://variable.example.test/simple");
  });

  it("names the files that a sandbox has to show, if they exist", async () => {
    const file = join(home, "ca.pem");
    await writeFile(file, "");
    expect((await read({ SSL_CERT_FILE: file, UV_FIND_LINKS: `${home},/not/there` })).paths).toEqual(
      expect.arrayContaining([file, home]),
    );
    expect((await read({ SSL_CERT_FILE: "/not/there" })).paths).not.toContain("/not/there");
  });

  it("describes settings without their credentials", async () => {
    const settings = await read({
      UV_DEFAULT_INDEX: "https://me:secret@index.example.test/simple",
      HTTPS_PROXY: "http://p:q@proxy.example.test",
    });
    expect(describeIndexSettings(settings)).toBe(
      "In force: UV_DEFAULT_INDEX=https://***@index.example.test/simple, HTTPS_PROXY=http://***@proxy.example.test.",
    );
  });
});

describe("parsePipConfiguration", () => {
  it("joins lists over several lines and ignores other sections", () => {
    const text =
      "# comment\n[install]\nextra_index_url =\n    https://one.example.test\n    https://two.example.test\n[freeze]\ntimeout = 10\n";
    expect(parsePipConfiguration(text)).toEqual({
      "extra-index-url": "https://one.example.test https://two.example.test",
    });
  });
});
