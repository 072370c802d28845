import { type Static, Type } from "typebox";

/** Where things lie in the file system of every image. Scripts of v1 know `appRoot` by heart. */
export const imagePaths = {
  /** Node, the scorer and the worker */
  runtime: "/opt/slipway",
  node: "/opt/slipway/bin/node",
  /** starts the scorer; with a run folder as its argument for a target, else for `docker run` alone */
  start: "/opt/slipway/bin/scorer",
  /** {@link ImageDescription} */
  description: "/opt/slipway/image.json",
  environment: "/opt/env",
  python: "/opt/env/bin/python",
  /** driver, code and `azureml-models/`; the working folder */
  appRoot: "/var/azureml-app",
  /** where a target mounts the run folder of a replica */
  run: "/run/slipway",
} as const;

/** Where a standalone scorer listens, unless `SLIPWAY_PORT` says otherwise. v1's images did so, too. */
export const STANDALONE_PORT = 5001;

/** `/opt/slipway/image.json`: what a scorer that starts without a run folder has to run. */
export const ImageDescription = Type.Object({
  /** the image's name, which the service gets in swagger.json and as a model of the Open Inference Protocol */
  name: Type.String(),
  runtime: Type.Union([
    /** `entryScript`: relative to `imagePaths.appRoot` */
    Type.Object({ kind: Type.Literal("python"), entryScript: Type.String() }),
    /** `file`: absolute */
    Type.Object({
      kind: Type.Literal("onnx"),
      models: Type.Array(Type.Object({ name: Type.String(), file: Type.String() }), { minItems: 1 }),
    }),
  ]),
});
export type ImageDescription = Static<typeof ImageDescription>;
