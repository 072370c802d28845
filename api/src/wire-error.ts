import { type Static, Type } from "typebox";

/** The model-management error body (wire contract, section 12). `statusCode` must be in the body: the client decides by it. */
export const WireError = Type.Object({
  code: Type.String(),
  statusCode: Type.Integer(),
  message: Type.String(),
  details: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
  correlation: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type WireError = Static<typeof WireError>;

/** The envelope of the artifact store and the resource manager (wire contract, section 12). */
export const EnvelopedError = Type.Object({
  error: Type.Object({ code: Type.String(), message: Type.String() }),
  correlation: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type EnvelopedError = Static<typeof EnvelopedError>;
