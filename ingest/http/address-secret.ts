/**
 * The secret that clients' addresses are digested with. Read once: another one takes effect at the
 * next start, and from then on an address has another digest.
 */
import { readFileSync } from 'node:fs';
import type { SecretConfig } from '../../schemas/config.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';

/** Empty where there is none. Throws `SluiceError` `address-secret-invalid`. */
export function readAddressSecret(config: SecretConfig | undefined): string {
  if (config === undefined) return '';
  if ('text' in config) return config.text;
  let text: string;
  try {
    text = readFileSync(config.file, 'utf8').trim();
  } catch (cause) {
    throw invalid(`ingress.address_secret_file cannot be read: ${messageOf(cause)}`, cause);
  }
  if (text.length >= limits.addressSecretMinChars) return text;
  throw invalid(`the secret in ${config.file} has ${text.length} characters`);
}

function invalid(message: string, cause?: unknown): SluiceError {
  return new SluiceError('address-secret-invalid', message, {
    fix: `write at least ${limits.addressSecretMinChars} random characters into it, for example with \`openssl rand -hex 16\``,
    ...(cause === undefined ? {} : { cause }),
  });
}
