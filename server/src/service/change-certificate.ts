import type { SecretBox } from "../secret/index.ts";
import { checkCertificate, type RequestedCertificate, type ServiceCertificate } from "./service-certificate.ts";
import { cnameTaken } from "./service-errors.ts";
import type { ServiceStore, ServiceTransaction } from "./service-store.ts";

export type CertificateChange = "keep" | "remove" | ServiceCertificate;

interface Dependencies {
  readonly store: ServiceStore;
  readonly secrets: SecretBox;
}

/**
 * What a request does to the certificate of a service: members that it leaves out are taken from what is stored.
 *
 * @param serviceId undefined while there is no such service
 * @throws {AppError} CertificateIncomplete, CertificateUnusable, CertificateExpired, CnameTaken
 */
export async function planCertificate(
  { store, secrets }: Dependencies,
  serviceId: string | undefined,
  requested: RequestedCertificate | undefined,
): Promise<CertificateChange> {
  if (requested === undefined) return "keep";
  if (requested.enabled === false) return "remove";
  const all = await store.certificates();
  const stored = all.find((one) => one.serviceId === serviceId);
  const asksFor = [requested.enabled, requested.certificate, requested.key];
  // A host name alone is what clients send without a certificate, too.
  if (stored === undefined && asksFor.every((member) => member === undefined)) return "keep";
  const checked = checkCertificate(
    {
      certificate: requested.certificate ?? stored?.certificate,
      key: requested.key ?? (stored && secrets.open(stored.sealedKey)),
      cname: requested.cname ?? stored?.cname,
    },
    new Date(),
  );
  // A handshake names the host only: there is one certificate for each.
  const other = all.find((one) => one.serviceId !== serviceId && one.cname === checked.cname);
  if (other !== undefined && other.certificate !== checked.certificate) {
    throw cnameTaken(checked.cname, (await store.find(other.serviceId))?.name ?? other.serviceId);
  }
  return checked;
}

export async function changeCertificate(
  { store, secrets }: Dependencies,
  serviceId: string,
  change: CertificateChange,
  transaction: ServiceTransaction,
): Promise<void> {
  if (change === "keep") return;
  if (change === "remove") {
    await store.removeCertificate(serviceId, transaction);
    return;
  }
  const { key, ...rest } = change;
  await store.putCertificate({ ...rest, serviceId, sealedKey: secrets.seal(key) }, transaction);
}
