const UNTRUSTED =
  "its certificate is signed by an authority that is not trusted here. Trust the server's own: tls/ca.pem in its data folder (--ca), or `slipway login`";

/** What Node calls its failures; browsers say nothing but that there was one. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there. Is `slipway up` running?",
  ECONNRESET: "the connection was closed. Is it a Slipway server, and reached by https?",
  ENOTFOUND: "no machine of this name is known. Check the address",
  EAI_AGAIN: "no machine of this name is known. Check the address",
  ETIMEDOUT: "the connection was not taken in time. Check the address and the firewall",
  UND_ERR_CONNECT_TIMEOUT: "the connection was not taken in time. Check the address and the firewall",
  EHOSTUNREACH: "there is no way to this machine. Check the address and the network",
  ENETUNREACH: "there is no way to this machine. Check the address and the network",
  EPROTO: "what answers there does not speak TLS. Is it a Slipway server?",
  ERR_SSL_WRONG_VERSION_NUMBER: "what answers there does not speak TLS. Is it a Slipway server?",
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for other names. Use the address that `slipway up` printed",
};

/** Why a server did not answer, and what to do about it, as the end of a sentence. `fetch failed` hides the reason in nested causes. */
export function whyUnreachable(error: unknown): string {
  let current = error;
  while (current instanceof Error && current.cause !== undefined) current = current.cause;
  // Attempts to reach several addresses of one name.
  if (current instanceof AggregateError && current.errors.length > 0) current = current.errors[0];
  if (!(current instanceof Error)) return `${String(current)}.`;
  const code = "code" in current ? String(current.code) : "";
  return (WORDS[code] ?? current.message).replace(/(?<![.?])$/, ".");
}
