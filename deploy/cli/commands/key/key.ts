/**
 * `sluice key new`: makes an API key, shows it once, and prints the entry for the configuration,
 * which has only its digest.
 */
import { createHash } from 'node:crypto';
import { keys, origin, streamPattern } from '../../../../schemas/config/access.ts';
import { fitsSetting } from '../../../../schemas/config/check.ts';
import type { SettingSchema } from '../../../../schemas/config/setting.ts';
import { expectedOf } from '../../../../schemas/config/setting.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { Random } from '../../../../schemas/kernel/random.ts';
import type { Output } from '../../output.ts';

export interface KeyCommand {
  readonly name: string;
  readonly streams: readonly string[];
  readonly origins: readonly string[];
  readonly random: Random;
  readonly output: Output;
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const keyLetters = 32;

/**
 * 32 letters of 62: 190 random bits, behind a prefix that scanners for leaked secrets can look for.
 */
export function newKey(random: Random): string {
  const byte = new Uint8Array(1);
  let key = 'slc_';
  while (key.length < 4 + keyLetters) {
    random.fill(byte);
    // Bytes beyond a multiple of 62 would make the first letters likelier.
    const [value = 255] = byte;
    if (value < 4 * letters.length) key += letters[value % letters.length];
  }
  return key;
}

export function keyCommand({ name, streams, origins, random, output }: KeyCommand): number {
  require('name', name, keys.items.properties.name);
  for (const stream of streams) require('stream', stream, streamPattern);
  for (const page of origins) require('origin', page, origin);
  const key = newKey(random);
  const sha256 = createHash('sha256').update(key).digest('hex');
  if (output.json) {
    output.line(JSON.stringify({ key, name, sha256, streams, origins }));
    return 0;
  }
  const list = (values: readonly string[]): string =>
    `[${values.map((value) => (value.includes('*') || value.includes(':') ? `'${value}'` : value)).join(', ')}]`;
  output.line(`key    ${key}`);
  output.note('It is shown only this once. Add to the configuration:');
  output.line('keys:');
  output.line(`  - name: ${name}`);
  output.line(`    sha256: ${sha256}`);
  output.line(`    streams: ${list(streams)}`);
  if (origins.length > 0) output.line(`    origins: ${list(origins)}`);
  return 0;
}

const invalid = {
  name: 'name-invalid',
  origin: 'origin-invalid',
  stream: 'stream-invalid',
} as const;

function require(what: keyof typeof invalid, value: string, setting: SettingSchema): void {
  if (!fitsSetting(setting, value))
    throw new SluiceError(
      invalid[what],
      `invalid --${what} '${value}': expected ${expectedOf(setting)}`,
    );
}
