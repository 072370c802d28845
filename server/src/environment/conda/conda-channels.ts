import { condaFileInvalid } from "../environment-errors.ts";

/** Where conda channels are, as the installation is set up. Without credentials: those are in the netrc file. */
export interface CondaSettings {
  /** in front of a channel's name */
  readonly channelAlias?: string | undefined;
  /** `NAME=URL`: this channel is taken from there. `defaults` may be named, too */
  readonly channelMirrors?: readonly string[] | undefined;
}

export interface Channels {
  /** in order of priority, without credentials and without a slash at the end */
  readonly addresses: readonly string[];
  addressOf(channel: string): string;
}

const PUBLIC_ALIAS = "https://conda.anaconda.org";
/** A file that names no channel means the community's; conda's own "defaults" are asked only where they are named. */
const WITHOUT_CHANNELS = ["conda-forge"];
const DEFAULTS = ["https://repo.anaconda.com/pkgs/main", "https://repo.anaconda.com/pkgs/r"];
const NAME = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+){0,3}$/;
const MAX_CHANNELS = 20;

/**
 * @param named as in the conda file, best first, and what pins of single packages name beside them
 * @throws {AppError} CondaFileInvalid
 */
export function channelsOf(named: readonly string[], pinned: readonly string[], settings: CondaSettings): Channels {
  const alias = plain(new URL(settings.channelAlias ?? PUBLIC_ALIAS));
  const mirrors = new Map(
    (settings.channelMirrors ?? []).map((setting) => {
      const [name = "", ...address] = setting.split("=");
      return [name, plain(new URL(address.join("=")))];
    }),
  );
  const addressesOf = (channel: string): readonly string[] => {
    const mirror = mirrors.get(channel) ?? mirrors.get(channel.replace(/\/+$/, ""));
    if (mirror !== undefined) return [mirror];
    if (channel === "defaults") return settings.channelAlias === undefined ? DEFAULTS : [`${alias}/main`];
    if (/^[a-z]+:/i.test(channel)) return [ofUser(channel)];
    const name = channel.replace(/\/(noarch|linux-64|linux-aarch64)$/, "");
    if (!NAME.test(name) || name.split("/").includes("..")) throw unusable(channel, "is neither a name nor an address");
    return [`${alias}/${name}`];
  };
  const wanted = named.filter((channel) => channel !== "nodefaults");
  const all = [...(wanted.length === 0 ? WITHOUT_CHANNELS : wanted), ...pinned];
  if (all.length > MAX_CHANNELS) throw condaFileInvalid(`it names more than ${MAX_CHANNELS} channels.`);
  return {
    addresses: [...new Set(all.flatMap(addressesOf))],
    addressOf: (channel) => addressesOf(channel)[0] ?? "",
  };
}

function ofUser(channel: string): string {
  const url = URL.parse(channel);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw unusable(channel, "is no http or https address; folders of the server are not read");
  }
  if (url.username !== "" || url.password !== "" || /^\/t\/[^/]+/.test(url.pathname)) {
    throw unusable(
      url.host,
      "holds credentials, which would be stored with the image; name it without them, and put them into the netrc file of the server",
    );
  }
  return plain(url);
}

function plain(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname.replace(/\/+$/, "")}`;
}

function unusable(channel: string, problem: string): Error {
  return condaFileInvalid(`its channel ${JSON.stringify(channel.slice(0, 120))} ${problem}.`);
}
