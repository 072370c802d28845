import { Type } from "typebox";
import { Value } from "typebox/value";
import { toAppError } from "../../platform/errors.ts";
import {
  condaChannelInvalid,
  condaChannelUnreachable,
  condaFileInvalid,
  condaPackageInvalid,
  environmentUnsolvable,
  installFailed,
} from "../environment-errors.ts";
import { withoutCredentials } from "../index-settings.ts";

const Failure = Type.Object({ error: Type.Object({ type: Type.String(), message: Type.String() }) });
const MAX_EXPLANATION_LENGTH = 1500;
const LOGIN = "It wants a login: put one for its host into the file that NETRC names, else ~/.netrc, of the server.";

/**
 * The error to throw for a run of py-rattler that ended badly.
 *
 * @param result what the program reported; anything else when it died
 * @param output what was written beside it
 */
export function rattlerFailure(result: unknown, output: readonly string[]): Error {
  const { type, message } = Value.Check(Failure, result)
    ? result.error
    : {
        type: "died",
        message: output
          .filter((line) => !/^\s|^note:|stack backtrace/.test(line))
          .slice(-6)
          .join(" "),
      };
  const explanation = readable(message);
  if (/No space left on device|Disk quota exceeded|os error 28\b/.test(message)) {
    return toAppError(Object.assign(new Error(explanation), { code: "ENOSPC" }));
  }
  switch (type) {
    case "SolverError":
      return environmentUnsolvable(explanation, "");
    case "InvalidMatchSpecError":
    case "InvalidVersionSpecError":
      return condaFileInvalid(`a dependency of it cannot be read by conda's rules: ${explanation}`);
    case "GatewayError":
    case "FetchRepoDataError":
    case "InvalidChannelError":
      if (/\b40[13]\b/.test(message)) return condaChannelInvalid(`${explanation} ${LOGIN}`);
      return /timed out|error sending request|connect|dns|50\d |status client error|status server error/i.test(message)
        ? condaChannelUnreachable(explanation)
        : condaChannelInvalid(explanation);
    case "Refused":
      return /could not be downloaded: (?!it |its )/.test(message)
        ? condaChannelUnreachable(explanation)
        : condaPackageInvalid(explanation);
    case "InstallerError":
    case "LinkError":
    case "TransactionError":
    case "ExtractError":
      return condaPackageInvalid(explanation);
    default:
      return installFailed(explanation);
  }
}

/** The solver draws trees; a message is one paragraph. */
function readable(message: string): string {
  const text = message
    .replace(/^Cannot solve the request because of: /, "")
    .replace(/\n?Caused by: /g, ": ")
    .split("\n")
    .map((line) => line.replace(/^[\s│├└─]+/u, "").trim())
    .filter((line) => line !== "")
    .join(" ");
  const short = text.length <= MAX_EXPLANATION_LENGTH ? text : `${text.slice(0, MAX_EXPLANATION_LENGTH)} ...`;
  return withoutCredentials(/[.!?]$/.test(short) ? short : `${short}.`);
}
