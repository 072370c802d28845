import { AppError } from "../platform/errors.ts";

export const tokenMissing = () =>
  new AppError({
    code: "AuthenticationRequired",
    kind: "unauthenticated",
    message:
      "This call needs a bearer token. Run the program through `slipway exec`, or sign in with a service principal (`slipway access create`).",
  });

export const tokenInvalid = (reason: string) =>
  new AppError({
    code: "InvalidAuthenticationToken",
    kind: "unauthenticated",
    message: `The bearer token is not accepted: ${reason}. Get a new one (\`slipway exec\` and \`slipway login\` do it by themselves).`,
  });

export const clientSecretWrong = () =>
  new AppError({
    code: "invalid_client",
    kind: "unauthenticated",
    message:
      "No service principal has this id and secret, or it was revoked. `slipway access list` shows the valid ones.",
  });

export const principalNotFound = (clientId: string) =>
  new AppError({
    code: "PrincipalNotFound",
    kind: "notFound",
    message: `There is no service principal ${clientId}. \`slipway access list\` shows all.`,
  });

export const principalNameInvalid = (name: string) =>
  new AppError({
    code: "PrincipalNameInvalid",
    kind: "invalid",
    message: `"${name.slice(0, 80)}" cannot be the name of a service principal: 1 to 64 letters, digits, spaces, "-", "_" and ".".`,
  });

export const tokenAddressUnknown = () =>
  new AppError({
    code: "TokenAddressUnknown",
    kind: "notFound",
    message: "This managed-identity address is not the server's. Run `slipway env` for the right one.",
  });
