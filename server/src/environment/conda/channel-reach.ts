import { getCACertificates } from "node:tls";
import { readFileIfThere } from "../../platform/atomic-file.ts";
import { errnoCode } from "../../platform/errors.ts";
import { askHead } from "../ask-head.ts";
import type { Channels } from "./conda-channels.ts";
import type { Login } from "./netrc.ts";

/** What it takes to be let in. */
export interface ChannelAccess {
  /** by host name */
  readonly logins: ReadonlyMap<string, Login>;
  /** PEM file of the certificates that are trusted; those of the system if not given */
  readonly certificateFile?: string | undefined;
}

/** Whether anybody answers at the channels of a conda file. */
export interface ChannelReach {
  readonly answering: readonly string[];
  /** in words, each with its reason */
  readonly silent: readonly string[];
}

const TIMEOUT_MS = 3_000;
const REMEMBERED_MS = 10 * 60_000;

type Answer = { readonly reason: string | undefined; readonly askedAt: number };

/**
 * Asks channels for their index and remembers the answer for ten minutes: a machine without a way to them must not wait for each
 * build. Anything but a normal answer counts as silence; a proxy that refuses is as good as no network.
 */
export function createChannelReach(env: Readonly<Record<string, string | undefined>>, now: () => number = Date.now) {
  const known = new Map<string, Answer>();
  const asking = new Map<string, Promise<Answer>>();

  async function ask(address: string, { logins, certificateFile }: ChannelAccess): Promise<Answer> {
    const login = logins.get(new URL(address).hostname);
    const auth = login === undefined ? undefined : `${login.username}:${login.password}`;
    const url = new URL(`${address}/noarch/repodata.json.zst`);
    const { status, error } = await askHead(url, {
      ...{ env, timeoutMs: TIMEOUT_MS, ca: await trusted(certificateFile) },
      ...(auth === undefined ? {} : { auth }),
    });
    const answer = { reason: reasonOf(status, error), askedAt: now() };
    known.set(address, answer);
    asking.delete(address);
    return answer;
  }

  function answerOf(address: string): Answer | undefined {
    const answer = known.get(address);
    return answer === undefined || now() - answer.askedAt > REMEMBERED_MS ? undefined : answer;
  }

  function reach({ addresses }: Channels, answers: readonly (Answer | undefined)[]): ChannelReach {
    return {
      answering: addresses.filter((_, index) => answers[index] !== undefined && answers[index].reason === undefined),
      silent: addresses.flatMap((address, index) => {
        const reason = answers[index]?.reason;
        return reason === undefined ? [] : [`${address} (${reason})`];
      }),
    };
  }

  return {
    /** Takes 3 seconds at most. */
    async find(channels: Channels, access: ChannelAccess): Promise<ChannelReach> {
      const answers = channels.addresses.map((address) => {
        const before = answerOf(address);
        if (before !== undefined) return before;
        const running = asking.get(address) ?? ask(address, access);
        asking.set(address, running);
        return running;
      });
      return reach(channels, await Promise.all(answers));
    },

    /** What is remembered; undefined when one of them has to be asked. */
    remembered(channels: Channels): ChannelReach | undefined {
      const answers = channels.addresses.map(answerOf);
      return answers.includes(undefined) ? undefined : reach(channels, answers);
    },
  };
}

export type ChannelReachService = ReturnType<typeof createChannelReach>;

/** What the solver trusts, too. */
async function trusted(certificateFile: string | undefined): Promise<readonly string[]> {
  const file =
    certificateFile === undefined ? undefined : await readFileIfThere(certificateFile).catch(() => undefined);
  return file === undefined ? [...getCACertificates("default"), ...getCACertificates("system")] : [file];
}

function reasonOf(status: number | undefined, error: Error | undefined): string | undefined {
  if (error !== undefined) return errnoCode(error) ?? error.message;
  if (status === undefined) return `no answer within ${TIMEOUT_MS / 1000} s`;
  // 404: a channel without this form of the index; 401: credentials are missing, which the solver explains.
  return status < 400 || status === 401 || status === 404 ? undefined : `answers ${status}`;
}
