/**
 * What cannot work together, in a configuration whose values are all well by themselves. Pure.
 */
import type { Node } from 'yaml';
import { isSeq } from 'yaml';
import type { SluiceConfig } from './config.ts';
import { ledgerStream } from './config.ts';
import { limits } from './limits.ts';

/** Where in the text, the path, what is wrong, what is expected. */
export type Combination = readonly [
  offset: number,
  path: string,
  message: string,
  expected: string,
];

/** `root` has the nodes of the sections, for their places. */
export function* findCombinations(
  config: SluiceConfig,
  root: ReadonlyMap<string, Node | undefined>,
): Iterable<Combination> {
  const streams = root.get('streams');
  const at = (index: number): number =>
    isSeq(streams) ? offsetOf(streams.items[index] as Node) : 0;
  for (const [key, what] of [
    ['name', 'team and app'],
    ['kinesisStream', 'kinesis_stream'],
    ['kafkaTopic', 'kafka_topic'],
  ] as const) {
    const first = new Map<string, number>();
    for (const [index, stream] of config.streams.entries()) {
      const before = first.get(stream[key]);
      if (before === undefined) first.set(stream[key], index);
      else
        yield problem(
          at(index),
          `streams[${index}]`,
          `${what} '${stream[key]}' is already that of streams[${before}]`,
          'one of its own',
        );
    }
  }
  for (const [index, stream] of config.streams.entries()) {
    for (const [setting, name, isTaken] of [
      ['kinesis_stream', stream.kinesisStream, isReservedStream],
      ['kafka_topic', stream.kafkaTopic, isReservedTopic],
    ] as const) {
      if (isTaken(name))
        yield problem(
          at(index),
          `streams[${index}].${setting}`,
          `'${name}' is reserved`,
          'another name',
        );
    }
  }
  yield* findTwice('keys', root.get('keys'), config.access.keys, [
    ['name', ({ name }) => name],
    ['sha256', ({ sha256 }) => sha256],
  ]);
  yield* findTwice('jwt', root.get('jwt'), config.access.jwt, [['issuer', ({ issuer }) => issuer]]);
  const { largeMessageThresholdBytes } = config.routing;
  const routing = offsetOf(root.get('routing'));
  if (largeMessageThresholdBytes + limits.recordHeadMaxBytes > limits.kinesisRecordMaxBytes) {
    const most = (limits.kinesisRecordMaxBytes - limits.recordHeadMaxBytes) / 1_024;
    yield problem(
      routing,
      'routing.large_message_threshold_kb',
      'such an event does not fit a record of the small path',
      `at most ${most}`,
    );
  }
  yield* segmentStreams(config, root);
  yield* addressSecrets(config, root);
  if (config.kafka.auth === 'msk_iam' && config.kafka.region === undefined)
    yield problem(
      offsetOf(root.get('kafka')),
      'kafka.region',
      'tokens are signed for a region',
      'the region of the cluster, such as eu-central-1',
    );
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = config.ingress;
  const ingress = offsetOf(root.get('ingress'));
  if (bodyDecodedMaxBytes < bodyMaxBytes)
    yield problem(
      ingress,
      'ingress.body_decoded_max_mb',
      'it is below body_max_mb',
      'at least as much',
    );
  if (inFlightMaxBytes < bodyDecodedMaxBytes)
    yield problem(
      ingress,
      'ingress.in_flight_max_mb',
      'one body alone would not be admitted',
      'at least body_decoded_max_mb',
    );
}

function* addressSecrets(
  { streams, ingress }: SluiceConfig,
  root: ReadonlyMap<string, Node | undefined>,
): Iterable<Combination> {
  const { addressSecret } = ingress;
  const expected = `a text of at least ${limits.addressSecretMinChars} characters from the environment, or ingress.address_secret_file`;
  if (
    addressSecret !== undefined &&
    'text' in addressSecret &&
    addressSecret.text.length < limits.addressSecretMinChars
  )
    yield problem(
      offsetOf(root.get('ingress')),
      'ingress.address_secret',
      'it is too short',
      expected,
    );
  const asking = streams.findIndex(({ context }) => context?.ip === 'hmac');
  if (asking >= 0 && addressSecret === undefined) {
    yield problem(
      offsetOf(root.get('streams')),
      `streams[${asking}].context.ip`,
      'hmac needs a secret, and ingress.address_secret is not set',
      expected,
    );
  }
}

/** Where the Segment API is to put events there must be a stream, and its key must be for it. */
function* segmentStreams(
  { access, streams }: SluiceConfig,
  root: ReadonlyMap<string, Node | undefined>,
): Iterable<Combination> {
  const known = new Set(streams.map(({ name }) => name));
  const unknown = (
    section: string,
    path: string,
    stream: string | undefined,
  ): readonly Combination[] =>
    stream === undefined || known.has(stream)
      ? []
      : [
          problem(
            offsetOf(root.get(section)),
            path,
            `there is no stream '${stream}'`,
            'team/app of one of streams',
          ),
        ];
  yield* unknown('ingress', 'ingress.segment_stream', access.openSegmentStream);
  for (const [index, { segmentStream }] of access.jwt.entries())
    yield* unknown('jwt', `jwt[${index}].segment_stream`, segmentStream);
  for (const [index, { segmentStream, streams: patterns }] of access.keys.entries()) {
    const path = `keys[${index}].segment_stream`;
    yield* unknown('keys', path, segmentStream);
    if (segmentStream === undefined || !known.has(segmentStream)) continue;
    const covering = [segmentStream, `${segmentStream.split('/')[0]}/*`, '*/*'];
    if (!patterns.some((pattern) => covering.includes(pattern)))
      yield problem(
        offsetOf(root.get('keys')),
        path,
        `the key is not for '${segmentStream}'`,
        "one of the key's streams",
      );
  }
}

/**
 * Where the ingress writes what it counted: an event of a client there would be counted as one of
 * its own.
 */
const isReservedStream = (name: string): boolean =>
  name === ledgerStream.kinesisStream || name === '.' || name === '..';
/**
 * Kafka keeps `.` and `..` for itself, and its brokers the names that begin with two underscores.
 */
const isReservedTopic = (name: string): boolean =>
  name === ledgerStream.kafkaTopic || name === '.' || name === '..' || name.startsWith('__');

/** Entries of a list that have in common what must tell them apart. */
function* findTwice<T>(
  section: string,
  node: Node | undefined,
  entries: readonly T[],
  fields: readonly (readonly [string, (entry: T) => string])[],
): Iterable<Combination> {
  for (const [field, read] of fields) {
    const first = new Map<string, number>();
    for (const [index, entry] of entries.entries()) {
      const value = read(entry);
      const before = first.get(value);
      if (before === undefined) first.set(value, index);
      else {
        const at = isSeq(node) ? offsetOf(node.items[index] as Node) : offsetOf(node);
        yield problem(
          at,
          `${section}[${index}].${field}`,
          `'${value}' is already that of ${section}[${before}]`,
          'one of its own',
        );
      }
    }
  }
}

export function offsetOf(node: Node | undefined): number {
  return node?.range?.[0] ?? 0;
}

function problem(...found: Combination): Combination {
  return found;
}
