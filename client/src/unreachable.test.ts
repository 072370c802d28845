import { expect, test } from "vitest";
import { reach } from "./http.ts";
import { whyUnreachable } from "./unreachable.ts";

/** As Node nests it: the reason is the cause of a cause. */
function failed(code: string, message: string): Error {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(message), { code }) });
}

test("the message names the server, the reason in words and what to do", async () => {
  const fetch = () => Promise.reject(failed("ECONNREFUSED", "connect ECONNREFUSED 127.0.0.1:8443"));
  await expect(reach(fetch, "https://localhost:8443/x?y", {})).rejects.toMatchObject({
    code: "ServerUnreachable",
    message: "No answer from localhost:8443: nothing listens there. Is `slipway up` running?",
  });
});

test("several addresses of one name: the first failure counts", () => {
  const attempts = new AggregateError([failed("ENOTFOUND", "x").cause, new Error("other")], "all failed");
  expect(whyUnreachable(new TypeError("fetch failed", { cause: attempts }))).toMatch(/^no machine of this name/);
});

test("a cause without words of its own is told as it is, with one full stop", () => {
  expect(whyUnreachable(failed("UND_ERR_SOCKET", "other side closed."))).toBe("other side closed.");
  expect(whyUnreachable(new TypeError("Failed to fetch"))).toBe("Failed to fetch.");
  expect(whyUnreachable("gone")).toBe("gone.");
});
