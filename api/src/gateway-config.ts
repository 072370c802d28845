import { type Static, Type } from "typebox";

/** The gateway's config file: everything it needs to start, with no control plane alive. Unknown fields are errors. */
export const GatewayConfig = Type.Object(
  {
    folder: Type.String({ description: "Holds routes.json and control.sock; mode 0700", minLength: 1 }),
    host: Type.String({ description: "Address that answers scoring requests", minLength: 1 }),
    port: Type.Integer({ description: "Port of that address; 0 takes a free one", minimum: 0, maximum: 65_535 }),
    certificateFile: Type.String({ description: "PEM chain of the HTTPS certificate, read again when it changes" }),
    keyFile: Type.String({ description: "PEM key of that certificate" }),
    nameCertificateFile: Type.Optional(
      Type.String({
        description:
          "PEM key and chain for callers that ask for a host name (SNI); without addresses, for gRPC clients",
      }),
    ),
    allowOpen: Type.Optional(
      Type.Boolean({ description: "Services without authentication answer every peer, not only this machine" }),
    ),
    maxBufferedBytes: Type.Optional(
      Type.Integer({
        description: "Memory for the bodies of all requests together (default 1 GiB); beyond it requests get 503",
        minimum: 1,
      }),
    ),
    drainMs: Type.Optional(
      Type.Integer({
        description: "How long requests in work may take to finish after SIGTERM (default 30000)",
        minimum: 0,
      }),
    ),
  },
  { additionalProperties: false },
);
export type GatewayConfig = Static<typeof GatewayConfig>;
