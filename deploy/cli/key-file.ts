/**
 * `--key-file`: a key for all streams in a file of its own, such as a secret that is mounted into a
 * container. Where the file is missing it is made, so that a server on all addresses never runs
 * without a key.
 *
 * Invariants:
 * 1. The key is in the file alone, never in the log or the configuration.
 * 2. A file that is there is never written: of two instances that start at once, one makes it.
 */
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { SluiceConfig } from '../../schemas/config.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { deniedFix, deniedText, isDenied } from '../host/denied.ts';
import { newKey } from './commands/key/key.ts';

/** Of the key in logs, metrics and warnings. */
const keyName = 'key-file';
/** As `sluice key new` makes them, or longer; shorter ones can be guessed. */
const keyText = /^[\x21-\x7e]{20,256}$/;

/** Makes the file where it is missing; whether it did. Throws `SluiceError` `key-file-invalid`. */
export function makeKeyFile(file: string, random: Random): boolean {
  if (readKeyFile(file) !== undefined) return false;
  const key = newKey(random);
  const beside = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(beside, `${key}\n`, { mode: 0o600 });
    // Whole or not at all, and never over another's.
    linkSync(beside, file);
    return true;
  } catch (cause) {
    if (systemCodeOf(cause) === 'EEXIST') return false;
    const denied = isDenied(cause);
    const why = denied ? ` ${deniedText(file)}` : `: ${messageOf(cause)}`;
    throw new SluiceError('key-file-invalid', `${file} cannot be written${why}`, {
      cause,
      fix: denied ? deniedFix() : 'pass a file in a folder that this user may write',
    });
  } finally {
    rmSync(beside, { force: true });
  }
}

/** The configuration with the key of the file. Throws `SluiceError` `key-file-invalid`. */
export function withKeyFile(config: SluiceConfig, file: string | undefined): SluiceConfig {
  if (file === undefined) return config;
  const key = readKeyFile(file);
  if (key === undefined)
    throw new SluiceError('key-file-invalid', `${file}, the file of --key-file, is gone`);
  const sha256 = createHash('sha256').update(key).digest('hex');
  const { access } = config;
  if (access.keys.some((known) => known.sha256 === sha256)) return config;
  if (access.keys.some(({ name }) => name === keyName))
    throw new SluiceError(
      'key-file-invalid',
      `a key of ${config.file} is called '${keyName}', as the one of --key-file is`,
      { fix: 'give it another name' },
    );
  const added = { name: keyName, sha256, streams: ['*/*'], origins: [], quota: undefined };
  return { ...config, access: { ...access, keys: [...access.keys, added] } };
}

/** Undefined when there is no such file. */
function readKeyFile(file: string): string | undefined {
  let key: string;
  try {
    key = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined;
    throw new SluiceError('key-file-invalid', `${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'pass a file with --key-file that this user may read',
    });
  }
  if (keyText.test(key)) return key;
  throw new SluiceError(
    'key-file-invalid',
    `${file} has no key: expected one line of 20 to 256 letters, digits and punctuation`,
    { fix: 'write a key of `sluice key new` into it, or delete it: the next start makes one' },
  );
}
