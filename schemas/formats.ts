/**
 * The formats of JSON Schema (2020-12, section 7.3) and of OpenAPI, each checked by the grammar of
 * its RFC, in time linear in the text.
 *
 * | format | what |
 * |---|---|
 * | `date-time`, `date`, `time` | RFC 3339, by the one reader of times |
 * | `duration` | RFC 3339, appendix A |
 * | `email` | RFC 5321: dot-string or quoted, at a host or an address literal |
 * | `hostname` | RFC 1123: labels of up to 63 letters, digits and `-`; 253 characters in all |
 * | `uri`, `uri-reference` | RFC 3986 |
 * | `uri-template` | RFC 6570 |
 * | `json-pointer`, `relative-json-pointer` | RFC 6901 |
 * | `regex` | ECMAScript, with `u` |
 * | any other format of ajv-formats | as ajv-formats checks it |
 *
 * A label of a `hostname` has `--` in the third place only as `xn--`, which is not decoded.
 */
import type { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import { isTime } from './kernel/time.ts';
import { linearPattern } from './linear-pattern.ts';

const octet = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ipv4 = `(?:${octet}\\.){3}${octet}`;
const h16 = '[0-9a-f]{1,4}';
const ls32 = `(?:${h16}:${h16}|${ipv4})`;
const ipv6 = [
  `(?:${h16}:){6}${ls32}`,
  `::(?:${h16}:){5}${ls32}`,
  `(?:${h16})?::(?:${h16}:){4}${ls32}`,
  `(?:(?:${h16}:){0,1}${h16})?::(?:${h16}:){3}${ls32}`,
  `(?:(?:${h16}:){0,2}${h16})?::(?:${h16}:){2}${ls32}`,
  `(?:(?:${h16}:){0,3}${h16})?::${h16}:${ls32}`,
  `(?:(?:${h16}:){0,4}${h16})?::${ls32}`,
  `(?:(?:${h16}:){0,5}${h16})?::${h16}`,
  `(?:(?:${h16}:){0,6}${h16})?::`,
].join('|');

const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
const hostname = `${label}(?:\\.${label})*`;

/** RFC 3986, appendix A. */
const escaped = '%[0-9a-f]{2}';
const unreserved = 'a-z0-9\\-._~';
const subDelims = "!$&'()*+,;=";
const pchar = `(?:[${unreserved}${subDelims}:@]|${escaped})`;
const userinfo = `(?:[${unreserved}${subDelims}:]|${escaped})*`;
const ipFuture = `v[0-9a-f]+\\.[${unreserved}${subDelims}:]+`;
const regName = `(?:[${unreserved}${subDelims}]|${escaped})*`;
const authority = `(?:${userinfo}@)?(?:\\[(?:${ipv6}|${ipFuture})\\]|${regName})(?::\\d*)?`;
const pathAbempty = `(?:/${pchar}*)*`;
const pathAbsolute = `/(?:${pchar}+(?:/${pchar}*)*)?`;
const pathRootless = `${pchar}+(?:/${pchar}*)*`;
const pathNoscheme = `(?:[${unreserved}${subDelims}@]|${escaped})+(?:/${pchar}*)*`;
const tail = `(?:\\?(?:${pchar}|[/?])*)?(?:#(?:${pchar}|[/?])*)?`;
const uri = `[a-z][a-z0-9+\\-.]*:(?://${authority}${pathAbempty}|${pathAbsolute}|${pathRootless})?${tail}`;
const relative = `(?://${authority}${pathAbempty}|${pathAbsolute}|${pathNoscheme})?${tail}`;

const varchar = `(?:[a-z0-9_]|${escaped})`;
const varspec = `${varchar}(?:\\.?${varchar})*(?::[1-9][0-9]{0,3}|\\*)?`;
const literal = '[^\\u0000-\\u0020"%<>\\\\^`{|}\\u007f]';

const atext = "[a-z0-9!#$%&'*+/=?^_`{|}~-]+";
const quoted = '"(?:[\\u0020!#-\\[\\]-~]|\\\\[\\u0020-~])*"';

const time = 'T(?:\\d+H(?:\\d+M(?:\\d+S)?)?|\\d+M(?:\\d+S)?|\\d+S)';
const date = '(?:\\d+D|\\d+M(?:\\d+D)?|\\d+Y(?:\\d+M(?:\\d+D)?)?)';
const pointer = '(?:/(?:[^~/]|~[01])*)*';

const patterns: Readonly<Record<string, readonly [source: string, flags: string]>> = {
  duration: [`^P(?:${date}(?:${time})?|${time}|\\d+W)$`, ''],
  email: [
    `^(?:${atext}(?:\\.${atext})*|${quoted})@(?:${hostname}|\\[${ipv4}\\]|\\[IPv6:(?:${ipv6})\\])$`,
    'i',
  ],
  hostname: [`^(?=.{1,253}$)(?!(?:.*\\.)?(?!xn)[a-z0-9-]{2}--)${hostname}$`, 'i'],
  ipv4: [`^${ipv4}$`, ''],
  ipv6: [`^(?:${ipv6})$`, 'i'],
  uri: [`^${uri}$`, 'i'],
  'uri-reference': [`^(?:${uri}|${relative})$`, 'i'],
  'uri-template': [
    `^(?:${literal}|${escaped}|\\{[+#./;?&=,!@|]?${varspec}(?:,${varspec})*\\})*$`,
    'iu',
  ],
  uuid: ['^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$', 'i'],
  'json-pointer': [`^${pointer}$`, 'u'],
  'json-pointer-uri-fragment': [`^#(?:/(?:[${unreserved}${subDelims}:@]|${escaped})*)*$`, 'i'],
  'relative-json-pointer': [`^(?:0|[1-9][0-9]*)(?:#|${pointer})$`, 'u'],
  byte: ['^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$', ''],
};

const functions: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': isTime,
  // On the days of a leap second, of which the second has begun where clocks are ahead.
  time: (text) => isTime(`2016-12-31T${text}`) || isTime(`2017-01-01T${text}`),
  date: (text) => isTime(`${text}T00:00:00Z`),
  regex: isPattern,
};

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

/** Teaches the compiler all of them. */
export function useFormats(ajv: Ajv2020): void {
  ajvFormats.default(ajv);
  for (const [name, known] of Object.entries(ajv.formats)) {
    // What is left of its patterns.
    if (known instanceof RegExp) ajv.addFormat(name, testOf(known.source, known.flags));
  }
  for (const [name, [source, flags]] of Object.entries(patterns))
    ajv.addFormat(name, testOf(source, flags));
  for (const [name, validate] of Object.entries(functions))
    ajv.addFormat(name, { type: 'string', validate });
}

const known = new Map<string, (text: string) => boolean>();

/** Compiled once for all schemas, when it is first asked. */
function testOf(source: string, flags: string): (text: string) => boolean {
  const name = `/${source}/${flags}`;
  let test = known.get(name);
  if (test === undefined) {
    let compiled: ReturnType<typeof linearPattern> | undefined;
    test = (text) => (compiled ??= linearPattern(source, flags)).test(text);
    known.set(name, test);
  }
  return test;
}
