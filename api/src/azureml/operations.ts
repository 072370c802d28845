import { type Static, Type } from "typebox";

/** Wire contract, section 8. */
export const OperationState = Type.Union([
  Type.Literal("NotStarted"),
  Type.Literal("Running"),
  Type.Literal("Succeeded"),
  Type.Literal("Failed"),
  Type.Literal("Cancelled"),
  Type.Literal("TimedOut"),
]);
export type OperationState = Static<typeof OperationState>;

export const WireOperationError = Type.Object({
  code: Type.String(),
  statusCode: Type.Integer(),
  message: Type.String(),
  details: Type.Array(Type.Object({ code: Type.String(), message: Type.String() })),
});

export const WireOperation = Type.Object({
  id: Type.String(),
  operationType: Type.String(),
  state: OperationState,
  createdTime: Type.String(),
  endTime: Type.Union([Type.String(), Type.Null()]),
  /** relative resource id; its last segment is the resource's id */
  resourceLocation: Type.Union([Type.String(), Type.Null()]),
  operationLog: Type.Optional(Type.String()),
  parentRequestId: Type.String(),
  operationDetails: Type.Object({
    operationId: Type.Null(),
    /** `BuildImage` makes the client show `operationLog`, `DeployService` makes it point to `get_logs()` */
    subOperationType: Type.String(),
    subOperationState: OperationState,
  }),
  /** entries `yyyymmddHHMMSS|text#`, UTC, from the asked offset on */
  streamingOperationLog: Type.String(),
  error: Type.Union([WireOperationError, Type.Null()]),
});
export type WireOperation = Static<typeof WireOperation>;

export const OperationPath = Type.Object({ operationId: Type.String({ minLength: 1, maxLength: 100 }) });
export const OperationQuery = Type.Object({
  /** characters of the streaming log that the asker has already */
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
  /** our own clients ask again at once, so they get each line when it comes; the genuine client would sleep 5 s after it */
  live: Type.Optional(Type.Boolean()),
});
export const WireOperationList = Type.Object({ value: Type.Array(WireOperation) });
