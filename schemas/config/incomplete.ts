/**
 * What a service needs and the configuration does not have.
 */
import { SluiceError } from '../kernel/errors.ts';

export function incomplete(path: string, expected: string): SluiceError {
  return new SluiceError(
    'config-incomplete',
    `the configuration has no ${path}, which this service needs`,
    { fix: `expected: ${expected}` },
  );
}
