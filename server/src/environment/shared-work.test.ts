import { describe, expect, it } from "vitest";
import { createSharedWork } from "./shared-work.ts";

function listener() {
  const said: string[] = [];
  const controller = new AbortController();
  return { said, controller, context: { signal: controller.signal, say: (text: string) => said.push(text) } };
}

describe("createSharedWork", () => {
  it("runs once for all who ask at once, and tells everybody everything", async () => {
    const share = createSharedWork<number>();
    const gate = Promise.withResolvers<number>();
    let runs = 0;
    const [one, other] = [listener(), listener()];
    const work = async (context: { say(text: string): void }) => {
      runs++;
      context.say("begun");
      return gate.promise;
    };
    const first = share("key", one.context, work);
    const second = share("key", other.context, work);
    gate.resolve(7);
    expect(await Promise.all([first, second])).toEqual([7, 7]);
    expect([runs, one.said, other.said]).toEqual([1, ["begun"], ["begun"]]);
  });

  it("goes on when one of two goes away, and stops when both have", async () => {
    const share = createSharedWork<never>();
    const [one, other] = [listener(), listener()];
    let stopped = false;
    const work = (context: { readonly signal: AbortSignal }) =>
      new Promise<never>((_, reject) => {
        context.signal.addEventListener("abort", () => {
          stopped = true;
          reject(new Error("stopped"));
        });
      });
    const results = [share("key", one.context, work), share("key", other.context, work)].map((result) =>
      result.catch(String),
    );
    one.controller.abort(new Error("first left"));
    expect(await results[0]).toContain("first left");
    expect(stopped).toBe(false);
    other.controller.abort(new Error("second left"));
    expect(await results[1]).toContain("second left");
    expect(stopped).toBe(true);
  });

  it("begins anew after a failure", async () => {
    const share = createSharedWork<string>();
    const { context } = listener();
    await expect(share("key", context, async () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(await share("key", context, async () => "yes")).toBe("yes");
  });
});
