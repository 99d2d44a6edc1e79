/** The same bytes as a Buffer, without a copy: what reads text and numbers in them is Node's. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
