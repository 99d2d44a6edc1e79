/**
 * An element's origin in a snapshot: its bytes as base64, everything else as it is.
 */
import type { Origin } from '../graph/sink.ts';

export type EncodedOrigin = Omit<Origin, 'data'> & { readonly data: string };

export function encodeOrigin(origin: Origin): EncodedOrigin {
  const { data } = origin;
  return { ...origin, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64') };
}

export function decodeOrigin(encoded: EncodedOrigin): Origin {
  return { ...encoded, data: new Uint8Array(Buffer.from(encoded.data, 'base64')) };
}
