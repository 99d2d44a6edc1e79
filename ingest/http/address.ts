/**
 * Who a client is by its address: the connection's, or what trusted proxies say of it. Pure.
 *
 * Invariants:
 * 1. What a client writes itself is never taken: of all entries together, from the right, as many
 *    as there are trusted proxies are theirs, and the last of these is the client's. Where it is
 *    missing, or is no address, or two headers disagree, the connection's own address counts.
 * 2. An address has one form (an IPv4-mapped IPv6 address is its IPv4 address), and a client has
 *    one network: of IPv6 its first 64 bits (RFC 4291, section 2.5.4), which a single host has all
 *    of.
 *
 * X-Forwarded-For has no standard; Forwarded is RFC 7239. Both are lists, so several lines are one
 * (RFC 9110, section 5.3).
 */
import { isIPv4, isIPv6 } from 'node:net';

/** The lines of the two headers, each in the order in which it came. */
export interface ForwardedLines {
  readonly forwarded: readonly string[];
  readonly xForwardedFor: readonly string[];
}

/**
 * The client's address behind `trustedProxies` proxies; undefined where the headers do not tell.
 */
export function forwardedAddress(
  { forwarded, xForwardedFor }: ForwardedLines,
  trustedProxies: number,
): string | undefined {
  const standard = forwarded.length === 0 ? undefined : hopsOfForwarded(forwarded.join(','));
  const common = xForwardedFor.length === 0 ? undefined : hopsOfList(xForwardedFor.join(','));
  const pick = (hops: readonly string[]): string | undefined =>
    parseAddress(hops.at(-trustedProxies) ?? '');
  if (standard === undefined) return common === undefined ? undefined : pick(common);
  // A proxy writes one of the two and lets the other pass: which one is its own does not show.
  if (common !== undefined && pick(common) !== pick(standard)) return undefined;
  return pick(standard);
}

function hopsOfList(list: string): readonly string[] {
  return list
    .split(',')
    .map((hop) => hop.trim())
    .filter((hop) => hop !== '');
}

const pair =
  /[ \t]*(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+)))?[ \t]*([;,]|$)/y;

/**
 * The `for` of each element, empty where one has none. Of a list that is not well-formed nothing
 * counts: an open quote hides what follows.
 */
function hopsOfForwarded(list: string): readonly string[] {
  const hops: string[] = [];
  let hop = '';
  let isEmpty = true;
  pair.lastIndex = 0;
  for (;;) {
    const [, name, quoted, token, end] = pair.exec(list) ?? [];
    if (end === undefined) return [];
    if (name !== undefined) isEmpty = false;
    if (name?.toLowerCase() === 'for') hop = token ?? (quoted as string).replaceAll(/\\(.)/g, '$1');
    if (end === ';') continue;
    if (!isEmpty) hops.push(hop);
    hop = '';
    isEmpty = true;
    if (end === '') return hops;
  }
}

/**
 * An address in its one form, without brackets, port and zone; undefined for anything else
 * (`unknown`, `_hidden`).
 */
export function parseAddress(text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? [];
  if (bracketed !== undefined) return isIPv6(bracketed) ? textOfIPv6(bracketed) : undefined;
  if (isIPv6(text)) return textOfIPv6(text);
  const [host = ''] = text.split(':', 1);
  return isIPv4(host) && /^[^:]*(?::\d+)?$/.test(text) ? host : undefined;
}

function textOfIPv6(text: string): string {
  const [address = ''] = text.split('%', 1);
  const [left = '', right] = address.split('::', 2);
  const groupsOf = (part: string): number[] =>
    part === ''
      ? []
      : part
          .split(':')
          .flatMap((group) => (group.includes('.') ? pairOf(group) : [Number.parseInt(group, 16)]));
  const before = groupsOf(left);
  const after = right === undefined ? [] : groupsOf(right);
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => 0);
  return textOfGroups([...before, ...zeros, ...after]);
}

/** A dotted quad as two groups. */
function pairOf(quad: string): number[] {
  const [a = 0, b = 0, c = 0, d = 0] = quad.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}

function textOfGroups(groups: readonly number[]): string {
  const [g6 = 0, g7 = 0] = groups.slice(6);
  if (groups[5] === 0xff_ff && groups.slice(0, 5).every((group) => group === 0))
    return `${g6 >> 8}.${g6 & 255}.${g7 >> 8}.${g7 & 255}`;
  return groups.map((group) => group.toString(16)).join(':');
}

/**
 * The text of a remote address of 4 or 16 bytes; empty when a connection has none, as it is closed
 * already.
 */
export function textOfBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) return '';
  return textOfGroups(
    Array.from(
      { length: 8 },
      (_, index) => (bytes[2 * index] as number) * 256 + (bytes[2 * index + 1] as number),
    ),
  );
}

/** The network of an address in its one form: what is counted as one client. */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  return `${address.split(':', 4).join(':')}::/64`;
}
