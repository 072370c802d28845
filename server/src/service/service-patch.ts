import { AutoScaler, EnvironmentImageRequest, type JsonPatch } from "@slipway/api";
import { type Static, type TSchema, Type } from "typebox";
import { Value } from "typebox/value";
import { patchInvalid, settingUnsupported } from "./service-errors.ts";
import { bytes, corsProperty, imageRequest, scalingOf, withoutPassword } from "./service-from-wire.ts";
import type { ServiceChanges } from "./service-request.ts";

type Apply = (value: unknown, fail: (why: string) => Error, path: string) => ServiceChanges;

/** One patchable member: the value's schema, and what it means. */
function member<Schema extends TSchema>(schema: Schema, change: (value: Static<Schema>) => ServiceChanges): Apply {
  return (value, fail) => {
    if (!Value.Check(schema, value)) {
      const [problem] = Value.Errors(schema, value);
      throw fail(`its value${problem?.instancePath.replaceAll("/", ".") ?? ""} ${problem?.message ?? "is wrong"}`);
    }
    return change(value as Static<Schema>);
  };
}

const texts = Type.Record(Type.String(), Type.String());
const milliseconds = Type.Integer({ minimum: 0, maximum: 3_600_000 });
const kubernetesOnly: Apply = (_value, _fail, path) => {
  throw settingUnsupported(path, "it applies to services on Kubernetes only.");
};
const text = Type.Union([Type.String(), Type.Null()]);

/** What `PATCH services/{name}` may change (wire contract, section 9.3). A `*` stands for one member's name. */
const members: Readonly<Record<string, Apply>> = {
  "/imageId": member(Type.String({ minLength: 3, maxLength: 300 }), (imageId) => ({
    imageId,
    wireExtras: { environmentImageRequest: null },
  })),
  "/environmentImageRequest": member(EnvironmentImageRequest, (request) => ({
    imageRequest: imageRequest(request),
    wireExtras: { environmentImageRequest: withoutPassword(request) },
  })),
  "/kvTags": member(Type.Union([texts, Type.Null()]), (tags) => ({ tags: tags ?? {} })),
  "/description": member(Type.Union([Type.String(), Type.Null()]), (description) => ({ description })),
  "/properties": member(texts, (properties) => ({ properties })),
  "/properties/*": (value, fail, path) => {
    if (typeof value !== "string") throw fail("its value must be text");
    return { properties: { [unescapePointer(path.slice("/properties/".length))]: value } };
  },
  "/authEnabled": member(Type.Boolean(), (authEnabled) => ({ authEnabled })),
  "/aadAuthEnabled": member(Type.Boolean(), (tokenAuthEnabled) => ({ tokenAuthEnabled })),
  "/appInsightsEnabled": member(Type.Boolean(), (appInsightsEnabled) => ({ appInsightsEnabled })),
  "/corsOrigins": member(Type.Union([Type.Array(Type.String(), { maxItems: 100 }), Type.Null()]), (origins) => ({
    properties: corsProperty(origins),
  })),
  "/dataCollection/storageEnabled": member(Type.Boolean(), (storageEnabled) => ({ storageEnabled })),
  "/containerResourceRequirements/cpu": member(Type.Number({ exclusiveMinimum: 0, maximum: 1024 }), (cpu) => ({ cpu })),
  "/containerResourceRequirements/memoryInGB": member(
    Type.Number({ exclusiveMinimum: 0, maximum: 65536 }),
    (gigabytes) => ({ memoryBytes: bytes(gigabytes) }),
  ),
  "/scoringTimeoutMs": member(Type.Integer({ minimum: 1, maximum: 3_600_000 }), (scoringTimeoutMs) => ({
    scoringTimeoutMs,
  })),
  "/maxConcurrentRequestsPerContainer": member(
    Type.Integer({ minimum: 1, maximum: 1000 }),
    (maxConcurrentRequests) => ({ maxConcurrentRequests }),
  ),
  "/maxQueueWaitMs": member(milliseconds, (maxQueueWaitMs) => ({ maxQueueWaitMs })),
  "/numReplicas": member(Type.Integer({ minimum: 1, maximum: 100 }), (replicas) => ({
    replicas,
    scaling: { enabled: false },
  })),
  "/sslEnabled": member(Type.Boolean(), (enabled) => ({ certificate: { enabled } })),
  "/sslCertificate": member(text, (certificate) => ({ certificate: { certificate: certificate ?? undefined } })),
  "/sslKey": member(text, (key) => ({ certificate: { key: key ?? undefined } })),
  "/cname": member(text, (cname) => ({ certificate: { cname: cname ?? undefined }, wireExtras: { cname } })),
  "/autoScaler/*": (value, fail, path) => {
    const patch = { [path.slice("/autoScaler/".length)]: value };
    if (!Value.Check(AutoScaler, patch)) throw fail("the autoscaler has no such member, or not with this value");
    return { scaling: scalingOf(patch) };
  },
  "/livenessProbeRequirements/*": kubernetesOnly,
  "/containerResourceRequirements/*": kubernetesOnly,
  "/namespace": kubernetesOnly,
};

/**
 * The changes that a JSON Patch means. `replace` of what is not there yet makes it, as `add` does.
 *
 * @throws {AppError} PatchInvalid or SettingUnsupported, naming operation and path
 */
export function serviceChanges(patch: JsonPatch): ServiceChanges {
  let changes: ServiceChanges = {};
  for (const { op, path, value } of patch) {
    if (op !== "add" && op !== "replace") throw patchInvalid(op, path, 'only "add" and "replace" are possible');
    const parent = path.slice(0, path.lastIndexOf("/"));
    const apply = own(members, path) ?? own(members, `${parent}/*`);
    if (apply === undefined) throw patchInvalid(op, path, "a service has no such member that can be changed");
    const change = apply(value, (why) => patchInvalid(op, path, why), path);
    changes = {
      ...changes,
      ...change,
      ...(change.properties ? { properties: { ...changes.properties, ...change.properties } } : {}),
      ...(change.scaling ? { scaling: { ...changes.scaling, ...change.scaling } } : {}),
      ...(change.certificate ? { certificate: { ...changes.certificate, ...change.certificate } } : {}),
      ...(change.wireExtras ? { wireExtras: { ...changes.wireExtras, ...change.wireExtras } } : {}),
    };
  }
  return changes;
}

function own<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

/** JSON Pointer, RFC 6901 section 4 */
function unescapePointer(segment: string): string {
  return segment.replaceAll("~1", "/").replaceAll("~0", "~");
}
