import { type Static, Type } from "typebox";

export const ServicePrincipal = Type.Object({
  clientId: Type.String(),
  name: Type.String(),
  createdAt: Type.String(),
});
export type ServicePrincipal = Static<typeof ServicePrincipal>;

/** The answer to `POST /slipway/v1/access`: the only time the secret is shown. */
export const NewServicePrincipal = Type.Object({
  ...ServicePrincipal.properties,
  clientSecret: Type.String(),
  tenantId: Type.String(),
});
export type NewServicePrincipal = Static<typeof NewServicePrincipal>;
