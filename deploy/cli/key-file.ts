/**
 * `--key-file`: a key for all streams in a file of its own, such as a secret that is mounted into a
 * container. Where the file is missing it is made, so that a server on all addresses never runs
 * without a key. A line a key: while keys are changed, the file has the new one and the old one.
 *
 * Invariants:
 * 1. The key is in the file alone, never in the log or the configuration.
 * 2. A file that is there is never written: of two instances that start at once, one makes it.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { SluiceConfig } from '../../schemas/config.ts';
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import { deniedFix, deniedText, isDenied } from '../host/denied.ts';
import { newKey } from './commands/key/key.ts';

/** Of the first key in logs, metrics and warnings; the next ones are `key-file-2` and so on. */
const keyName = 'key-file';
const keysMax = 8;
/** As `sluice key new` makes them, or longer; shorter ones can be guessed. */
const keyText = /^[\x21-\x7e]{20,256}$/;

/** Makes the file where it is missing; whether it did. Throws `SluiceError` `key-file-invalid`. */
export function makeKeyFile(file: string, random: Random): boolean {
  if (readKeys(file) !== undefined) return false;
  const key = newKey(random);
  // No name that somebody could have put there before, and nothing that is there is followed.
  const beside = `${file}.${suffixOf(random)}`;
  let isOwn = false;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const made = openSync(beside, 'wx', 0o600);
    isOwn = true;
    try {
      writeFileSync(made, `${key}\n`);
    } finally {
      closeSync(made);
    }
    // Whole or not at all, and never over another's.
    linkSync(beside, file);
    return true;
  } catch (cause) {
    if (isOwn && systemCodeOf(cause) === 'EEXIST') return false;
    const denied = isDenied(cause);
    const why = denied ? ` ${deniedText(file)}` : `: ${messageOf(cause)}`;
    throw new SluiceError('key-file-invalid', `${file} cannot be written${why}`, {
      cause,
      fix: denied ? deniedFix() : 'pass a file in a folder that this user may write',
    });
  } finally {
    if (isOwn) rmSync(beside, { force: true });
  }
}

function suffixOf(random: Random): string {
  const bytes = new Uint8Array(8);
  random.fill(bytes);
  return Buffer.from(bytes).toString('hex');
}

/**
 * The configuration with the keys of the file. One that the configuration has as well keeps the
 * rights that it has there. Throws `SluiceError` `key-file-invalid`.
 */
export function withKeyFile(config: SluiceConfig, file: string | undefined): SluiceConfig {
  if (file === undefined) return config;
  const keys = readKeys(file);
  if (keys === undefined)
    throw new SluiceError('key-file-invalid', `${file}, the file of --key-file, is gone`);
  const { access } = config;
  const added = keys
    .map((key, index) => ({
      name: index === 0 ? keyName : `${keyName}-${index + 1}`,
      sha256: createHash('sha256').update(key).digest('hex'),
      streams: ['*/*'],
      origins: [],
      quota: undefined,
    }))
    .filter(({ sha256 }) => access.keys.every((known) => known.sha256 !== sha256));
  const taken = added.find(({ name }) => access.keys.some((known) => known.name === name));
  if (taken !== undefined)
    throw new SluiceError(
      'key-file-invalid',
      `a key of ${config.file} is called '${taken.name}', as one of --key-file is`,
      { fix: 'give it another name' },
    );
  return added.length === 0
    ? config
    : { ...config, access: { ...access, keys: [...access.keys, ...added] } };
}

/** Each once, in their order; undefined when there is no such file. */
function readKeys(file: string): readonly string[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (cause) {
    if (systemCodeOf(cause) === 'ENOENT') return undefined;
    throw new SluiceError('key-file-invalid', `${file} cannot be read: ${messageOf(cause)}`, {
      cause,
      fix: 'pass a file with --key-file that this user may read',
    });
  }
  const keys = [...new Set(text.split(/\r?\n/))];
  if (keys.length <= keysMax && keys.every((key) => keyText.test(key))) return keys;
  throw new SluiceError(
    'key-file-invalid',
    `${file} has no key: expected 1 to ${keysMax} lines, each of 20 to 256 letters, digits and punctuation`,
    { fix: 'write a key of `sluice key new` into it, or delete it: the next start makes one' },
  );
}
