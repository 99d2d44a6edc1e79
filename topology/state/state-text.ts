/**
 * Text of entries, and back.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { textOf } from './entry-text.ts';

/** Throws `SluiceError` `state-unwritable` naming the node whose state has no text. */
export function stateText(node: string, state: unknown): string {
  try {
    return JSON.stringify(state) ?? 'null';
  } catch (cause) {
    throw new SluiceError(
      'state-unwritable',
      `the state of '${node}' cannot be written as JSON: ${messageOf(cause)}`,
      {
        cause,
        fix: `keep only JSON in the state of '${node}': no BigInt, and no object that contains itself`,
      },
    );
  }
}

export function textOfBytes(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : textOf(bytes);
}
