import { AppError } from "../platform/errors.ts";
import type { ChannelReach, ChannelReachService } from "./conda/channel-reach.ts";
import type { CondaRequest, createCondaEnvironments } from "./conda/prepare-from-conda.ts";
import type { PreparedEnvironment } from "./environment.ts";
import { asksForPythonAlone } from "./environment-spec.ts";
import type { createPypiEnvironments, PypiRequest, Resolved } from "./prepare-from-pypi.ts";
import type { RunContext } from "./uv.ts";

export interface Ways {
  readonly fromConda: ReturnType<typeof createCondaEnvironments>;
  readonly fromPypi: ReturnType<typeof createPypiEnvironments>;
  readonly channelReach: ChannelReachService;
}

/**
 * For files that ask conda for more than a Python that is here: its channels if one answers, else Python package indexes. Which
 * one it was stays so for the same file, whatever the network does. Nobody waits for channels in vain: while they are asked, the
 * other way is resolved already.
 *
 * @param pypi throws if the file asks for something that only conda has
 */
export async function chooseWay(
  { fromConda, fromPypi, channelReach }: Ways,
  conda: CondaRequest,
  pypi: () => PypiRequest,
  context: RunContext,
): Promise<PreparedEnvironment> {
  const { channels } = conda;
  const decided = conda.request.resolver ?? (await fromConda.decided(conda));
  if (decided === "conda") return fromConda.prepare(conda, context);
  const remembered = channelReach.remembered(channels);
  if (remembered !== undefined && remembered.answering.length > 0) return condaOrNearest(remembered);
  const speculation = speculate();
  const before = remembered ?? (await decidedOrAsked());
  if (before.answering.length === 0) return speculation.take(before);
  await speculation.drop();
  return condaOrNearest(before);

  /** What went the other way before goes there at once; the channels are asked for the next time. */
  async function decidedOrAsked(): Promise<ChannelReach> {
    const asked = conda.reach();
    return decided === undefined ? asked : { answering: [], silent: ["they did not when its packages were chosen"] };
  }

  /** A Python that no channel has either leaves the nearest one that is here. */
  async function condaOrNearest(reach: ChannelReach): Promise<PreparedEnvironment> {
    try {
      return await fromConda.prepare({ ...conda, reach: async () => reach }, context);
    } catch (error) {
      const isPython = error instanceof AppError && error.code === "PythonNotAvailable";
      if (!isPython || !asksForPythonAlone(conda.spec)) throw error;
      context.say(error.message);
      const wanted = pypi();
      return fromPypi.prepare(wanted, await fromPypi.resolve(wanted, context), [], context);
    }
  }

  function speculate() {
    const stop = new AbortController();
    const said: string[] = [];
    let heard = false;
    const say = (text: string) => void (heard ? context.say(text) : said.push(text));
    const signal = AbortSignal.any([context.signal, stop.signal]);
    const attempt: Promise<{ wanted: PypiRequest; resolved: Resolved } | { error: unknown }> = Promise.resolve()
      .then(async () => {
        const wanted = pypi();
        return { wanted, resolved: await fromPypi.resolve(wanted, { signal, say }) };
      })
      .catch((error: unknown) => ({ error }));
    return {
      async take({ silent }: ChannelReach): Promise<PreparedEnvironment> {
        heard = true;
        context.say(`No conda channel answers: ${silent.join(", ")}.`);
        for (const text of said) context.say(text);
        const result = await attempt;
        if ("error" in result) throw result.error;
        await fromConda.leaveToPypi(conda, result.resolved);
        const { taken } = result.wanted.pypi;
        const warning = `Conda packages were taken from the Python package index instead of conda channels: ${taken.join(", ")}. No channel answers: ${silent.join(", ")}.`;
        return fromPypi.prepare(result.wanted, result.resolved, taken.length === 0 ? [] : [warning], context);
      },
      async drop(): Promise<void> {
        stop.abort(new Error("Conda's channels answer."));
        await attempt;
      },
    };
  }
}
