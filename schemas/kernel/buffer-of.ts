/** The same bytes as a Buffer, without a copy, to read text and numbers with Node's methods. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
