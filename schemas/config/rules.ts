/**
 * What cannot work together, one named rule each. Rules of an entry look at its values as they are
 * in the file, also when others are wrong; rules of the whole look at a configuration whose values
 * are all right by themselves. Pure.
 */
import type { SluiceConfig } from '../config.ts';
import { limits } from '../limits.ts';
import type { Segments } from './document.ts';
import { ledgerStream } from './ledger-stream.ts';

export interface Finding {
  /** Of the setting that is told of; in an entry's rule from there. */
  readonly path: Segments;
  /** Where the line is that is told; default: that of `path`. */
  readonly at?: Segments;
  readonly message: string;
  readonly expected: string;
}

type Values = Readonly<Record<string, unknown>>;
type EntryRule = (entry: Values) => Finding | undefined;
type Rule = (config: SluiceConfig) => Iterable<Finding>;

const reservedTeam: EntryRule = ({ team }) =>
  team === ledgerStream.team
    ? { path: ['team'], message: `'${team}' is reserved`, expected: 'another name' }
    : undefined;

const envelopeOrPointers: EntryRule = ({ envelope, event }) =>
  envelope === 'sluice' && Object.keys((event ?? {}) as Values).length > 0
    ? {
        path: ['event'],
        message: 'the envelope `sluice` carries the attributes itself',
        expected: 'either event pointers or envelope: sluice',
      }
    : undefined;

const whenDownOfReplicated: EntryRule = ({ ack = 'replicated', when_down: whenDown }) =>
  whenDown !== undefined && ack !== 'replicated'
    ? {
        path: ['when_down'],
        message: `ack '${String(ack)}' does not wait for the stream`,
        expected: 'when_down only with ack: replicated',
      }
    : undefined;

const schemaWithValidate: EntryRule = ({ validate = 'none', schema }) => {
  if ((validate === 'none') === (schema === undefined)) return undefined;
  return {
    path: [schema === undefined ? 'schema' : 'validate'],
    at: [],
    message: 'is missing',
    expected: '`validate: warn` or `reject` together with `schema: FILE`',
  };
};

const onePlaceOfJwks: EntryRule = ({ jwks_url: url, jwks_file: file }) =>
  (url === undefined) === (file === undefined)
    ? {
        path: [],
        message: 'the keys must come from one place',
        expected: 'either jwks_url or jwks_file',
      }
    : undefined;

const onePlaceOfPassword: EntryRule = ({ password, password_file: file }) =>
  password !== undefined && file !== undefined
    ? {
        path: ['password'],
        at: [],
        message: 'the password must come from one place',
        expected: 'either password or password_file',
      }
    : undefined;

/** Names that differ in case alone are one name to what reads them. */
const namesOnce: EntryRule = (entries) => {
  const before = new Set<string>();
  for (const name of Object.keys(entries)) {
    const folded = name.toLowerCase();
    if (before.has(folded))
      return { path: [name], message: 'is there already', expected: 'each name once, in any case' };
    before.add(folded);
  }
  return undefined;
};

/** By the place of the entries: `*` is any one member of a map or a list. */
const entryRules: readonly (readonly [Segments, readonly EntryRule[]])[] = [
  [
    ['streams', '*'],
    [reservedTeam, envelopeOrPointers, whenDownOfReplicated, schemaWithValidate],
  ],
  [['jwt', '*'], [onePlaceOfJwks]],
  [['neo4j'], [onePlaceOfPassword]],
  [['lookups'], [namesOnce]],
  [['lookups', '*', 'headers'], [namesOnce]],
  [['firehose', 'tables'], [namesOnce]],
];

/** Entries of a list that have in common what must tell them apart. */
function* twice<T>(
  entries: readonly T[],
  read: (entry: T) => string,
  found: (index: number, before: number, value: string) => Finding,
): Iterable<Finding> {
  const first = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const value = read(entry);
    const before = first.get(value);
    if (before === undefined) first.set(value, index);
    else yield found(index, before, value);
  }
}

function* streamsApart({ streams }: SluiceConfig): Iterable<Finding> {
  for (const [key, what] of [
    ['name', 'team and app'],
    ['kinesisStream', 'kinesis_stream'],
    ['kafkaTopic', 'kafka_topic'],
  ] as const)
    yield* twice(
      streams,
      (stream) => stream[key],
      (index, before, value) => ({
        path: ['streams', index],
        message: `${what} '${value}' is already that of streams[${before}]`,
        expected: 'one of its own',
      }),
    );
}

/**
 * Where the ingress writes what it counted: an event of a client there would be counted as one of
 * its own. Kafka keeps `.` and `..` for itself, and its brokers names that begin with two
 * underscores.
 */
function* reservedNames({ streams }: SluiceConfig): Iterable<Finding> {
  const { kinesisStream: ledger, kafkaTopic: ledgerTopic } = ledgerStream;
  for (const [index, { kinesisStream, kafkaTopic }] of streams.entries())
    for (const [setting, name, isReserved] of [
      ['kinesis_stream', kinesisStream, [ledger, '.', '..'].includes(kinesisStream)],
      [
        'kafka_topic',
        kafkaTopic,
        [ledgerTopic, '.', '..'].includes(kafkaTopic) || kafkaTopic.startsWith('__'),
      ],
    ] as const)
      if (isReserved)
        yield {
          path: ['streams', index, setting],
          at: ['streams', index],
          message: `'${name}' is reserved`,
          expected: 'another name',
        };
}

function* sendersApart({ access }: SluiceConfig): Iterable<Finding> {
  const found =
    (section: string, field: string) =>
    (index: number, before: number, value: string): Finding => ({
      path: [section, index, field],
      at: [section, index],
      message: `'${value}' is already that of ${section}[${before}]`,
      expected: 'one of its own',
    });
  yield* twice(access.keys, ({ name }) => name, found('keys', 'name'));
  yield* twice(access.keys, ({ sha256 }) => sha256, found('keys', 'sha256'));
  yield* twice(access.jwt, ({ issuer }) => issuer, found('jwt', 'issuer'));
}

function* thresholdFitsARecord({ routing }: SluiceConfig): Iterable<Finding> {
  const most = limits.kinesisRecordMaxBytes - limits.recordHeadMaxBytes;
  if (routing.largeMessageThresholdBytes > most)
    yield {
      path: ['routing', 'large_message_threshold_kb'],
      at: ['routing'],
      message: 'such an event does not fit a record of the small path',
      expected: `at most ${most / 1_024}`,
    };
}

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

function* addressSecrets({ streams, ingress }: SluiceConfig): Iterable<Finding> {
  const { addressSecret } = ingress;
  const expected = `a text of at least ${limits.addressSecretMinChars} characters from the environment, or ingress.address_secret_file`;
  if (
    addressSecret !== undefined &&
    'text' in addressSecret &&
    addressSecret.text.length < limits.addressSecretMinChars
  )
    yield {
      path: ['ingress', 'address_secret'],
      at: ['ingress'],
      message: 'is too short',
      expected,
    };
  const asking = streams.findIndex(({ context }) => context?.ip === 'hmac');
  if (asking >= 0 && addressSecret === undefined)
    yield {
      path: ['streams', asking, 'context', 'ip'],
      at: ['streams'],
      message: 'hmac needs a secret, and ingress.address_secret is not set',
      expected,
    };
}

function* regionOfTokens({ kafka }: SluiceConfig): Iterable<Finding> {
  if (kafka.auth === 'msk_iam' && kafka.region === undefined)
    yield {
      path: ['kafka', 'region'],
      at: ['kafka'],
      message: 'is missing: tokens are signed for a region',
      expected: 'the region of the cluster, such as eu-central-1',
    };
}

function* bodiesFit({ ingress }: SluiceConfig): Iterable<Finding> {
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = ingress;
  if (bodyDecodedMaxBytes < bodyMaxBytes)
    yield {
      path: ['ingress', 'body_decoded_max_mb'],
      at: ['ingress'],
      message: 'is below body_max_mb',
      expected: 'at least as much',
    };
  if (inFlightMaxBytes < bodyDecodedMaxBytes)
    yield {
      path: ['ingress', 'in_flight_max_mb'],
      at: ['ingress'],
      message: 'does not admit one body of body_decoded_max_mb',
      expected: 'at least body_decoded_max_mb',
    };
}

export const configRules: readonly Rule[] = [
  streamsApart,
  reservedNames,
  sendersApart,
  thresholdFitsARecord,
  segmentStreams,
  addressSecrets,
  regionOfTokens,
  bodiesFit,
];

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
