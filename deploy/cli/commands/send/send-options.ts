/**
 * The options of `send`, checked. Pure.
 */
import { parsePointer } from '../../../../schemas/json-scan.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { InputFormat } from './send-values.ts';

export interface SendOptions {
  readonly stream: string;
  readonly batchEvents: number;
  readonly concurrency: number;
  readonly keyPointer: readonly string[] | undefined;
  readonly timeoutMs: number;
  readonly format: InputFormat;
  readonly resume: boolean;
  readonly key: string | undefined;
}

const streamName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\/[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const formats: readonly InputFormat[] = ['auto', 'lines', 'json'];

/** Throws `SluiceError` `stream-invalid`, `option-invalid`, `key-invalid`. */
export function sendOptions(
  own: Readonly<Record<string, string | boolean | undefined>>,
  environmentKey: string | undefined,
): SendOptions {
  const format = formats.find((candidate) => candidate === own['format']);
  if (format === undefined) throw invalid('--format', own['format'], formats.join(', '));
  const pointer = own['keyPointer'];
  const keyPointer = pointer === undefined ? undefined : parsePointer(String(pointer));
  if (pointer !== undefined && keyPointer === undefined)
    throw invalid('--key-pointer', pointer, 'a JSON pointer such as /userId');
  return {
    stream: streamOf(own['stream']),
    batchEvents: wholeNumber('--batch', own['batch'], 1, 10_000),
    concurrency: wholeNumber('--concurrency', own['concurrency'], 1, 64),
    keyPointer,
    timeoutMs: wholeNumber('--give-up-after', own['giveUpAfter'], 1, 86_400) * 1_000,
    format,
    resume: own['resume'] !== false,
    key: keyOf(own['key'], environmentKey),
  };
}

/** Throws `SluiceError` `stream-invalid`. */
export function streamOf(value: unknown): string {
  const stream = String(value);
  if (streamName.test(stream)) return stream;
  throw new SluiceError(
    'stream-invalid',
    `invalid --stream '${stream}': expected team/app, for example shop/clicks`,
  );
}

/**
 * The address of a stream behind `base`, whose path may be where a proxy has the ingress.
 * Throws `SluiceError` `url-invalid`; user information in an address is not repeated.
 */
export function targetOf(base: string, stream: string): URL {
  const fix = 'pass an http or https address such as http://127.0.0.1:8080';
  const url = URL.canParse(base) ? new URL(base) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new SluiceError(
      'url-invalid',
      `invalid --url '${withoutUser(base)}': expected http:// or https:// and a host`,
      { fix },
    );
  if (url.username !== '' || url.password !== '')
    throw new SluiceError('url-invalid', `--url names a user: expected an address alone`, {
      fix: 'pass an API key in SLUICE_KEY',
    });
  if (url.search !== '' || url.hash !== '')
    throw new SluiceError(
      'url-invalid',
      '--url has a query or a fragment: expected an address alone',
      {
        fix: 'pass an API key in SLUICE_KEY',
      },
    );
  return new URL(`${url.pathname.replace(/\/+$/, '')}/v1/${stream}`, url.origin);
}

const withoutUser = (text: string): string => text.replace(/\/\/[^/@]*@/, '//');

/** What a header can have (RFC 9110, section 5.5) of text. The key itself is in no message. */
function keyOf(option: unknown, environmentKey: string | undefined): string | undefined {
  const [name, value] =
    typeof option === 'string' ? ['--key', option] : ['SLUICE_KEY', environmentKey];
  const key = value?.trim() ?? '';
  if (key === '') return undefined;
  if (/^[\x21-\x7e]+$/.test(key)) return key;
  throw new SluiceError(
    'key-invalid',
    `the key in ${name} has characters that no key has: expected letters, digits and punctuation`,
    {
      fix: 'pass it as `sluice key new` printed it',
    },
  );
}

function wholeNumber(option: string, value: unknown, min: number, max: number): number {
  const number = Number(value);
  if (
    typeof value === 'string' &&
    value.trim() !== '' &&
    Number.isInteger(number) &&
    number >= min &&
    number <= max
  )
    return number;
  throw invalid(option, value, `a whole number from ${min} to ${max}`);
}

const invalid = (option: string, value: unknown, expected: string): SluiceError =>
  new SluiceError('option-invalid', `invalid ${option} '${String(value)}': expected ${expected}`);
