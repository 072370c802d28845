import type { FastifyRequest } from "fastify";

/** A client that sends nothing for so long is gone; what it began must not wait for the next start. */
const SILENCE_MS = 120_000;

/**
 * The body as it comes. Leaving the loop early keeps the connection, so that the client can read why.
 *
 * @param broken makes the error for a connection that ended before the body did
 */
export async function* requestBytes(
  request: FastifyRequest,
  broken: (cause: unknown) => Error,
): AsyncGenerator<Uint8Array> {
  const { raw } = request;
  const silence = setTimeout(() => raw.destroy(new Error(`Nothing came for ${SILENCE_MS / 1000} s.`)), SILENCE_MS);
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      silence.refresh();
      yield chunk as Uint8Array;
    }
  } catch (error) {
    throw broken(error);
  } finally {
    clearTimeout(silence);
  }
}
