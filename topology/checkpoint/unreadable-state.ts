/**
 * State that is not what an operator keeps. Its files are told to be whole by their digests, its
 * manifest by its shape; what a head or an entry says is found out by who reads it.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';

/**
 * What to throw where `thrown` was while state was read: of a value that is another than its reader
 * takes it for, `SluiceError` `checkpoint-corrupt`; else itself.
 */
export function unreadable(thrown: unknown, what: string): unknown {
  const isOfValue =
    thrown instanceof TypeError || thrown instanceof RangeError || thrown instanceof SyntaxError;
  if (!isOfValue) return thrown;
  return new SluiceError('checkpoint-corrupt', `${what} cannot be read: ${messageOf(thrown)}`, {
    cause: thrown,
    fix: 'restore it from a copy, use another savepoint, or drop the state by name',
  });
}
