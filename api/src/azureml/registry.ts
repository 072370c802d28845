import { type Static, Type } from "typebox";

/** `GET …/Microsoft.ContainerRegistry/registries/NAME`: each workspace has one, under its own name. */
export const ContainerRegistry = Type.Object({
  id: Type.String(),
  name: Type.String(),
  type: Type.String(),
  location: Type.String(),
  tags: Type.Record(Type.String(), Type.String()),
  sku: Type.Object({ name: Type.String(), tier: Type.String() }),
  properties: Type.Object({
    loginServer: Type.String(),
    creationDate: Type.String(),
    provisioningState: Type.Literal("Succeeded"),
    adminUserEnabled: Type.Boolean(),
  }),
});
export type ContainerRegistry = Static<typeof ContainerRegistry>;

export const ContainerRegistryChange = Type.Object({
  properties: Type.Optional(Type.Object({ adminUserEnabled: Type.Optional(Type.Boolean()) })),
});
export type ContainerRegistryChange = Static<typeof ContainerRegistryChange>;

export const RegistryPasswordName = Type.Union([Type.Literal("password"), Type.Literal("password2")]);
export type RegistryPasswordName = Static<typeof RegistryPasswordName>;

/** The answer to `listCredentials` and `regenerateCredential` (wire contract, section 3). */
export const RegistryCredentials = Type.Object({
  username: Type.String(),
  passwords: Type.Array(Type.Object({ name: RegistryPasswordName, value: Type.String() })),
});
export type RegistryCredentials = Static<typeof RegistryCredentials>;

export const RegenerateCredential = Type.Object({ name: RegistryPasswordName });
export type RegenerateCredential = Static<typeof RegenerateCredential>;

/** `POST …/registry/collections` (Slipway's own area): begins a garbage collection and answers 202. */
export const StartCollection = Type.Object({
  dryRun: Type.Optional(Type.Boolean()),
  /** what was used within so many hours stays; 24 if not given */
  graceHours: Type.Optional(Type.Number({ minimum: 1, maximum: 8_760 })),
  /** manifests without a tag stay so many days; 7 if not given */
  untaggedDays: Type.Optional(Type.Number({ minimum: 0, maximum: 3_650 })),
});
export type StartCollection = Static<typeof StartCollection>;
