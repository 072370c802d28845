import { Command } from "commander";
import type { ServiceRequest } from "../deploy/deploy-service.ts";
import { collect, collectTag, positiveInteger, positiveNumber, wholeNumber } from "../options.ts";
import { openSession, type SessionOptions, sessionOptions } from "../session.ts";
import { colors } from "../terminal/colors.ts";
import { describeService } from "../terminal/show-service.ts";

type DeployOptions = SessionOptions & Omit<ServiceRequest, "name"> & { readonly overwrite?: boolean };

export function serviceDeployCommand(): Command {
  return requestOptions(
    new Command("deploy").description("from model file to running service: register, build, deploy"),
  )
    .argument("<name>", "lower-case letters, digits and -; 3 to 32 of them")
    .option("--overwrite", "update the service if there is one of this name")
    .addHelpText(
      "after",
      `
Examples:
  slipway service deploy digits --model digits.pkl --script score.py --conda environment.yml
  slipway service deploy digits --image digits:1 --cpu 2 --memory 2 --auth
  slipway service deploy diabetes --model diabetes.onnx

What is registered or built already is used again. At the end a curl line is printed that works as it stands.`,
    )
    .action(async (name: string, options: DeployOptions) => {
      const { curlFor, deployService } = await import("../deploy/deploy-service.ts");
      const session = await openSession(options);
      const service = await deployService(session, { ...options, name });
      const curl = await curlFor(session, service, options.sampleInput);
      session.output.result({ service, curl }, () => `${describeService(service)}\n\n${colors.bold(curl)}`);
    });
}

export function serviceUpdateCommand(): Command {
  return requestOptions(
    new Command("update").description("change a service under traffic: image, resources, keys on or off"),
  )
    .argument("<name>", "name of the service")
    .addHelpText(
      "after",
      `
Examples:
  slipway service update digits --image digits:2
  slipway service update digits --model digits.pkl --script score.py --conda environment.yml
  slipway service update digits --auth --memory 2

The old revision keeps serving until the new one has passed its checks, and if it does not.`,
    )
    .action(async (name: string, options: DeployOptions) => {
      const { updateService } = await import("../deploy/deploy-service.ts");
      const session = await openSession(options);
      const service = await updateService(session, { ...options, name });
      session.output.result(service, () => describeService(service));
    });
}

function requestOptions(command: Command): Command {
  return sessionOptions(command)
    .optionsGroup("What runs:")
    .option(
      "-m, --model <model>",
      "file or folder (registered if it is new), NAME=FILE, NAME:VERSION or NAME; may be repeated",
      collect,
    )
    .option("-s, --script <file>", "the file with init() and run(); an ONNX model needs none")
    .option("-c, --conda <file>", "conda file with Python and packages")
    .option("--dependency <path>", "file or folder that goes beside the script; may be repeated", collect)
    .option("-i, --image <image>", "a built image, NAME:VERSION or NAME, instead of all these")
    .optionsGroup("How it runs:")
    .option("--cpu <cores>", "cores it gets when the machine is busy", positiveNumber)
    .option("--memory <gigabytes>", "memory it may use", positiveNumber)
    .option("--auth", "callers need a key")
    .option("--no-auth", "callers need no key; only this machine is answered")
    .option("--replicas <number>", "a fixed number of replicas", positiveInteger)
    .option("--min-replicas <number>", "replicas follow the load, never fewer; 0: sleep when nobody asks", wholeNumber)
    .option("--max-replicas <number>", "replicas follow the load, never more", positiveInteger)
    .option(
      "--idle-seconds <seconds>",
      "with --min-replicas 0: sleep after so long without a request (300)",
      wholeNumber,
    )
    .option("--cors <origin>", "pages of this origin may call it, or *; may be repeated", collect)
    .option("--description <text>")
    .option("-t, --tag <key=value>", "may be repeated", collectTag)
    .option("--sample-input <json>", "a request body, or @FILE: tried before traffic, and shown in the curl line");
}
