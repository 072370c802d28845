import type { ScorerConfig } from "@slipway/api";

export interface ServiceSchemas {
  readonly input: unknown;
  readonly output: unknown;
}

/** OpenAPI 2.0, with the operations and definitions that v1's services had. */
export function openApi(
  config: Pick<ScorerConfig, "service" | "revision" | "pathPrefix">,
  schemas: ServiceSchemas,
): Record<string, unknown> {
  const failure = {
    description: "The request failed; the body says why.",
    schema: { $ref: "#/definitions/ErrorResponse" },
  };
  return {
    swagger: "2.0",
    info: {
      title: config.service,
      description: `Scoring interface of the service ${config.service}`,
      version: String(config.revision),
    },
    ...(config.pathPrefix !== undefined && { basePath: config.pathPrefix }),
    schemes: ["https"],
    consumes: ["application/json"],
    produces: ["application/json"],
    securityDefinitions: {
      Bearer: { type: "apiKey", name: "Authorization", in: "header", description: "For example: Bearer KEY" },
    },
    paths: {
      "/": {
        get: {
          operationId: "ServiceHealthCheck",
          description: "Tells that the service is alive.",
          responses: { "200": { description: "It is alive.", schema: { type: "string" } }, default: failure },
        },
      },
      "/score": {
        post: {
          operationId: "RunMLService",
          description: "Gives the input to the model and answers with its output.",
          security: [{ Bearer: [] }],
          parameters: [
            {
              name: "serviceInputPayload",
              in: "body",
              description: "The model's input",
              schema: { $ref: "#/definitions/ServiceInput" },
            },
          ],
          responses: {
            "200": { description: "The model's output", schema: { $ref: "#/definitions/ServiceOutput" } },
            default: failure,
          },
        },
      },
    },
    definitions: {
      ServiceInput: schemas.input,
      ServiceOutput: schemas.output,
      ErrorResponse: {
        type: "object",
        properties: {
          error: { type: "object", properties: { code: { type: "string" }, message: { type: "string" } } },
        },
      },
    },
  };
}
