import { AppError } from "./platform/errors.ts";
import type { HttpApp } from "./platform/http/app.ts";

export interface CompatibilityEntry {
  /** calls of azureml-core, as a user writes them */
  readonly calls: string;
  readonly state: "works" | "partly" | "not yet";
  readonly note: string;
  /** paths of the wire inside a workspace that nobody serves; answered 501 with the note */
  readonly paths?: readonly string[];
}

/** Which calls of `azureml-core` 1.61 are served: one table for the documentation (`docs/reference/compatibility.md`) and for the 501 answers. */
export const compatibility: readonly CompatibilityEntry[] = [
  {
    calls: "Workspace.from_config, get, list, get_details, list_keys",
    state: "works",
    note: "`slipway exec` makes the workspace that config.json names.",
  },
  {
    calls: "MsiAuthentication (default), ServicePrincipalAuthentication, TokenAuthentication",
    state: "works",
    note: "Service principals have the tenant id `adfs`.",
  },
  {
    calls: "InteractiveLoginAuthentication, AzureCliAuthentication",
    state: "not yet",
    note: "They ask Microsoft's sign-in hosts. Use `slipway exec` or a service principal.",
  },
  {
    calls: "Model.register, list, get by name or id, download, add_tags, update, delete",
    state: "works",
    note: "A model in use is not deleted; the answer names the images.",
  },
  {
    calls: "ContainerImage.image_configuration, create, wait_for_creation, list, delete",
    state: "works",
    note: "Dependencies may be files and folders. Docker steps, base images and GPU: see below.",
  },
  {
    calls: "Webservice.deploy, deploy_from_model, deploy_from_image; Model.deploy",
    state: "works",
    note: "On container instances; with `InferenceConfig` and `Environment`, or without a script for ONNX models.",
  },
  {
    calls: "AciWebservice: deploy_configuration, update, get_keys, regen_key, run, get_logs, delete",
    state: "works",
    note: "`ssl_cname` with certificate and key files serves your own certificate. Location, virtual network and encryption settings are kept and given back, and have no effect.",
  },
  {
    calls: "conda dependencies",
    state: "works",
    note: "solved by conda's own rules and installed from the channels; from PyPI by name, with a warning, when no channel answers. Files that ask conda for Python alone use an installed one.",
  },
  {
    calls: "base_image, base_image_registry, base_dockerfile, docker_file",
    state: "works",
    note: "from any registry, with its login. Docker steps: FROM, ENV, LABEL, WORKDIR, USER, EXPOSE, COPY of uploaded dependencies, and RUN where Docker or Podman is on the machine (else it is refused with the line). Services that run as processes take ENV of them. The client's own default base stands for none.",
  },
  {
    calls: "enable_gpu",
    state: "not yet",
    note: "It is named in the build log and has no effect.",
  },
  {
    calls: "ComputeTarget.create, attach; AksCompute",
    state: "not yet",
    note: "Clusters are not supported yet. Deploy with a container-instance configuration.",
    paths: ["/computes", "/computes/*"],
  },
  {
    calls: "AksWebservice, AksEndpoint, IotWebservice, FPGA",
    state: "not yet",
    note: "Services of these kinds are refused with the reason. Deploy with a container-instance configuration.",
  },
  {
    calls: "Environment.register, get, list, build",
    state: "not yet",
    note: "An `Environment` in an `InferenceConfig` works; registering one by itself does not yet.",
    paths: ["/environments", "/environments/*"],
  },
  {
    calls: "Model.package, LocalWebservice",
    state: "not yet",
    note: "Use `slipway service deploy`, which runs on this machine.",
    paths: ["/packages", "/images/generateDockerBuildContext"],
  },
  {
    calls: "Model.profile, ContainerImage profiles",
    state: "not yet",
    note: "Sizing a service is not supported yet.",
    paths: ["/profiles", "/images/:id/profiles"],
  },
  {
    calls: "Experiment, Run, Pipeline, Dataset, Datastore",
    state: "not yet",
    note: "Slipway deploys models; training and data stay where they are.",
    paths: ["/experiments", "/experiments/*", "/datastores", "/datastores/*", "/datasets", "/datasets/*"],
  },
];

/** Answers what nobody serves with 501 and the reason; the old client repeats neither. `app` is a workspace scope. */
export function unsupportedRoutes(app: HttpApp): void {
  for (const { calls, note, paths = [] } of compatibility) {
    for (const path of paths) {
      app.route({
        method: ["GET", "POST", "PUT", "PATCH", "DELETE"],
        url: path,
        handler: async () => {
          throw new AppError({
            code: "NotSupported",
            kind: "unsupported",
            message: `Not supported by Slipway: ${calls}. ${note}`,
          });
        },
      });
    }
  }
}
