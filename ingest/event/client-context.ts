/**
 * What the client was, as extension attributes of its events, where the stream asks for it
 * (`context`). Pure.
 *
 * Invariants:
 * 1. A client cannot say them itself: what the stream asks for is set again or taken away, whatever
 *    the event has under that name.
 * 2. With `hmac` or `truncated` the whole address is in no attribute.
 * 3. Text is well-formed, without control characters, and has at most `contextTextMaxBytes`;
 *    what is longer is cut off.
 */
import { isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import type { ClientContextConfig } from '../../schemas/config.ts';
import { assert } from '../../schemas/kernel/assert.ts';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { limits } from '../../schemas/limits.ts';
import { isText } from './attribute-text.ts';

/** User-Agent and Referer, each, where a stream keeps them; longer ones are cut. */
export const contextTextMaxBytes = kibi;
assert(
  7 * limits.attributeMaxBytes +
    4 * limits.partitionKeyMaxChars +
    limits.extensionsMaxBytes +
    2 * contextTextMaxBytes +
    2 * kibi <=
    limits.recordHeadMaxBytes,
  'the largest attributes, and what the ingress adds, fit the headers of a record',
);

/** What a request or a handshake shows of its client; empty text where it shows nothing. */
export interface ClientTrace {
  /** In its one form (http/address.ts). */
  readonly address: string;
  /** The headers as the server reads them: a character a byte. */
  readonly userAgent: string;
  readonly referer: string;
}

export interface ClientContext {
  /** Names that only the ingress says. */
  readonly names: readonly string[];
  readonly extensions: Readonly<Record<string, string>> | undefined;
}

/** Digits of a digest: 128 bits. */
const digestChars = 32;
const plain = /^[\x20-\x7e]*$/;

/**
 * Undefined where the stream asks for nothing. `secret` is there wherever a stream has `ip: hmac`.
 */
export function clientContextOf(
  config: ClientContextConfig | undefined,
  client: ClientTrace,
  secret: string,
): ClientContext | undefined {
  if (config === undefined) return undefined;
  const names: string[] = [];
  let extensions: Record<string, string> | undefined;
  const keep = (name: string, value: string): void => {
    names.push(name);
    if (value !== '') (extensions ??= {})[name] = value;
  };
  if (config.ip !== 'none') keep('clientip', addressAs(config.ip, client.address, secret));
  if (config.userAgent) keep('useragent', textOf(client.userAgent));
  if (config.referer) keep('referer', textOf(client.referer));
  return { names, extensions };
}

/** The extensions of an event, with what the client was. */
export function withContext(
  own: Readonly<Record<string, string>> | undefined,
  context: ClientContext,
): Readonly<Record<string, string>> | undefined {
  if (own === undefined) return context.extensions;
  const merged: Record<string, string> = { ...own };
  for (const name of context.names) delete merged[name];
  Object.assign(merged, context.extensions);
  return Object.keys(merged).length === 0 ? undefined : merged;
}

function addressAs(form: 'full' | 'truncated' | 'hmac', address: string, secret: string): string {
  if (address === '' || form === 'full') return address;
  if (form === 'hmac')
    return createHmac('sha256', secret).update(address).digest('hex').slice(0, digestChars);
  return address.includes(':')
    ? `${address.split(':', 3).join(':')}::`
    : `${address.slice(0, address.lastIndexOf('.'))}.0`;
}

function textOf(header: string): string {
  const most = contextTextMaxBytes;
  if (plain.test(header)) return header.slice(0, most);
  const bytes = Buffer.from(header, 'latin1');
  const text = isUtf8(bytes) ? bytes.toString('utf8') : header;
  return cut(
    Array.from(text, (character) => (isText(character) ? character : '\ufffd')).join(''),
    most,
  );
}

/** The beginning of a text, in whole characters. */
function cut(text: string, mostBytes: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= mostBytes) return text;
  let end = mostBytes;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
