/**
 * All rules of what cannot work together: those of the sections, each in its section's file, and
 * those over several sections, which are here. Pure.
 */
import type { SluiceConfig } from '../config.ts';
import { sinkRules } from '../sinks/sinks.ts';
import { accessRules } from './access.ts';
import type { Segments } from './document.ts';
import { addressSecretExpected, ingressRules } from './ingress.ts';
import { lookupRules } from './lookups.ts';
import type { Finding, SectionRules, Values } from './rule.ts';
import { serviceRules } from './services.ts';
import { stateRules } from './state.ts';
import { streamRules } from './streams.ts';

/** Where the Segment API is to put events there must be a stream, and its key must be for it. */
function* segmentStreams({ access, streams }: SluiceConfig): Iterable<Finding> {
  const known = new Set(streams.map(({ name }) => name));
  const unknown = (path: Segments, stream: string | undefined): readonly Finding[] =>
    stream === undefined || known.has(stream)
      ? []
      : [
          {
            path,
            at: path.slice(0, 1),
            message: `there is no stream '${stream}'`,
            expected: 'team/app of one of streams',
          },
        ];
  yield* unknown(['ingress', 'segment_stream'], access.openSegmentStream);
  for (const [index, { segmentStream }] of access.jwt.entries())
    yield* unknown(['jwt', index, 'segment_stream'], segmentStream);
  for (const [index, { segmentStream, streams: patterns }] of access.keys.entries()) {
    const path = ['keys', index, 'segment_stream'];
    yield* unknown(path, segmentStream);
    if (segmentStream === undefined || !known.has(segmentStream)) continue;
    const covering = [segmentStream, `${segmentStream.split('/')[0]}/*`, '*/*'];
    if (!patterns.some((pattern) => covering.includes(pattern)))
      yield {
        path,
        at: ['keys'],
        message: `the key is not for '${segmentStream}'`,
        expected: "one of the key's streams",
      };
  }
}

function* secretIsThere({ streams, ingress }: SluiceConfig): Iterable<Finding> {
  const asking = streams.findIndex(({ context }) => context?.ip === 'hmac');
  if (asking >= 0 && ingress.addressSecret === undefined)
    yield {
      path: ['streams', asking, 'context', 'ip'],
      at: ['streams'],
      message: 'hmac needs a secret, and ingress.address_secret is not set',
      expected: addressSecretExpected,
    };
}

/** What is found at one place is told in this order. */
const all: readonly SectionRules<SluiceConfig>[] = [
  streamRules,
  accessRules,
  { whole: [segmentStreams, secretIsThere] },
  ingressRules,
  serviceRules,
  stateRules,
  lookupRules,
  ...sinkRules,
];

export const configRules = all.flatMap(({ whole = [] }) => whole);
const entryRules = all.flatMap(({ entries = [] }) => entries);

/** Entries at a place with `*`, each with where it is; what is no map is left out. */
function* entriesAt(
  values: unknown,
  place: Segments,
  segments: Segments = [],
): Iterable<readonly [Segments, Values]> {
  const [next, ...rest] = place;
  if (typeof values !== 'object' || values === null) return;
  if (next === undefined) {
    if (!Array.isArray(values)) yield [segments, values as Values];
    return;
  }
  const members: Iterable<readonly [string | number, unknown]> = Array.isArray(values)
    ? values.entries()
    : Object.entries(values);
  for (const [name, member] of members)
    if (next === '*' || next === name) yield* entriesAt(member, rest, [...segments, name]);
}

export function* findEntries(values: unknown): Iterable<Finding> {
  for (const [place, rules] of entryRules)
    for (const [segments, entry] of entriesAt(values, place))
      for (const rule of rules) {
        const found = rule(entry);
        if (found === undefined) continue;
        const { path, at = path } = found;
        yield { ...found, path: [...segments, ...path], at: [...segments, ...at] };
      }
}
