/**
 * The section `streams`: what each stream is called, what its events look like, and what an answer
 * of the ingress means.
 */

import { inFormat } from './formats.ts';
import type { EntryRule, Finding, SectionRules } from './rule.ts';
import { twice } from './rule.ts';
import type { ValueOf } from './setting.ts';
import { choice, flag, group, list, text, whole } from './setting.ts';
import { kafkaShape, kinesisShape, shardsOfProvisioned } from './stream-shape.ts';
import { defaultsOf } from './values.ts';

/** Names of teams, apps, keys and look-ups. */
export const name = {
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$',
  expected: '1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit',
} as const;
const pointer = inFormat('json-pointer-into-data');

/** The two settings of a quota; the rate 0 means none. */
export const quotaSettings = {
  events_per_second: whole({
    description: 'Events a second that are accepted; 0 means no quota.',
    unit: 'events/s',
    default: 0,
    minimum: 0,
    maximum: 10_000_000,
    examples: [5_000],
  }),
  burst: whole({
    description: 'Events accepted at once; 0 means what two seconds allow.',
    unit: 'events',
    default: 0,
    minimum: 0,
    maximum: 100_000_000,
  }),
} as const;

export const streams = list({
  description: 'The streams that events are sent to, each with its own rules.',
  expected: 'a list of at least one stream, each with team and app',
  minItems: 1,
  examples: [[{ team: 'shop', app: 'clicks' }]],
  items: group({
    description: 'One stream, called team/app.',
    required: ['team', 'app'],
    properties: {
      team: text({ ...name, description: 'Team that owns the stream.', examples: ['shop'] }),
      app: text({ ...name, description: 'Application that sends.', examples: ['clicks'] }),
      kinesis_stream: text({
        description: 'Kinesis stream of the small route. Unset: team-app.',
        pattern: '^[A-Za-z0-9._-]{1,128}$',
        expected: '1 to 128 of A-Z a-z 0-9 . _ -',
        examples: ['shop-clicks-dev'],
      }),
      kafka_topic: text({
        description: 'Kafka topic of the large route. Unset: team-app.',
        pattern: '^[A-Za-z0-9._-]{1,249}$',
        expected: '1 to 249 of A-Z a-z 0-9 . _ -',
        examples: ['shop-clicks-dev'],
      }),
      kinesis: kinesisShape,
      kafka: kafkaShape,
      envelope: choice({
        description:
          '`none`: the body is the data. `sluice`: the body is an object with `data` and attributes beside it.',
        default: 'none',
        enum: ['none', 'sluice'],
      }),
      ack: choice({
        description:
          'What a 2xx means: `replicated` in the stream, `spooled` on disk, `buffered` in memory.',
        default: 'replicated',
        enum: ['replicated', 'spooled', 'buffered'],
      }),
      when_down: choice({
        description:
          'What `ack: replicated` does while the stream cannot be reached: refuse with 503, or spool and say so.',
        default: 'refuse',
        enum: ['refuse', 'spool'],
      }),
      order: choice({
        description:
          '`key`: events of one partition key on one route keep the order in which they were sent.',
        default: 'none',
        enum: ['none', 'key'],
      }),
      aggregate: choice({
        description:
          'Whether small events share a Kinesis record: `kpl` in the format of the Kinesis Producer Library, `kpl-gzip` the same compressed (only Sluice reads it).',
        default: 'none',
        enum: ['none', 'kpl', 'kpl-gzip'],
      }),
      validate: choice({
        description:
          'Whether data must fit `schema`: `reject` refuses what does not, `warn` accepts and lists it.',
        default: 'none',
        enum: ['none', 'warn', 'reject'],
      }),
      schema: text({
        description: 'File with the JSON Schema (draft 2020-12) for `validate`.',
        format: 'file',
        examples: ['schemas/promo-click.schema.json'],
      }),
      event: group({
        description: 'Where the data carries the attributes of its event.',
        properties: {
          id: text({ ...pointer, description: 'Identity of the event.', examples: ['/orderId'] }),
          time: text({ ...pointer, description: 'Event time.', examples: ['/clickedAt'] }),
          key: text({ ...pointer, description: 'Partition key.', examples: ['/userId'] }),
          type: text({ ...pointer, description: 'Type of the event.', examples: ['/kind'] }),
        },
      }),
      quota: group({
        description: 'Quota of the stream, over all its senders.',
        properties: quotaSettings,
      }),
      context: group({
        description: 'What to keep of the client, as attributes of its events.',
        properties: {
          ip: choice({
            description:
              'Address: `full`; `truncated` (IPv4 without its last 8 bits, IPv6 its first 48); `hmac`, a keyed digest.',
            default: 'none',
            enum: ['none', 'full', 'truncated', 'hmac'],
          }),
          user_agent: flag({ description: 'User-Agent header.', default: false }),
          referer: flag({ description: 'Referer header.', default: false }),
        },
      }),
    },
  }),
});

type Values = ValueOf<typeof streams>[number];
type Present<T> = { readonly [K in keyof T]?: NonNullable<T[K]> };

/** Where a stream's data carries its attributes: JSON pointers (RFC 6901) into the data. */
export type EventPointers = Present<Values['event']>;
/** What of the client becomes `clientip`, `useragent` and `referer` of its events. */
export type ClientContextConfig = Values['context'];
export type Ack = Values['ack'];
export type Aggregation = Values['aggregate'];

export interface QuotaConfig {
  readonly eventsPerSecond: number;
  /** Events at once; the bucket's size. */
  readonly burst: number;
}

/** Whether data has to fit a JSON Schema: what does not is refused, or accepted with a warning. */
export interface ValidateConfig {
  readonly mode: 'reject' | 'warn';
  /** Absolute. */
  readonly schemaFile: string;
}

type Reshaped =
  | 'kinesisStream'
  | 'kafkaTopic'
  | 'event'
  | 'quota'
  | 'context'
  | 'validate'
  | 'schema';
export interface StreamConfig extends Omit<Values, Reshaped> {
  /** `team/app`: the stream's name everywhere but at the vendors. */
  readonly name: string;
  readonly kinesisStream: string;
  readonly kafkaTopic: string;
  readonly event: EventPointers;
  readonly quota?: QuotaConfig;
  /** Undefined: nothing of the client is kept. */
  readonly context?: ClientContextConfig;
  /** Undefined: data may be any JSON. */
  readonly validate?: ValidateConfig;
}

export function streamOf({ team, app, quota: rate, context, ...values }: Values): StreamConfig {
  const { validate: mode, schema, event, kinesisStream, kafkaTopic, ...settings } = values;
  const quota = quotaOf(rate);
  const keepsClient = context.ip !== 'none' || context.userAgent || context.referer;
  return {
    team,
    app,
    name: `${team}/${app}`,
    kinesisStream: kinesisStream ?? `${team}-${app}`,
    kafkaTopic: kafkaTopic ?? `${team}-${app}`,
    ...settings,
    event: Object.fromEntries(Object.entries(event).filter(([, found]) => found !== undefined)),
    ...(quota === undefined ? {} : { quota }),
    ...(keepsClient ? { context } : {}),
    ...(mode === 'none' || schema === undefined ? {} : { validate: { mode, schemaFile: schema } }),
  };
}

/** A bucket of two seconds unless said otherwise; none where no rate is. */
export function quotaOf({ eventsPerSecond, burst }: QuotaConfig): QuotaConfig | undefined {
  return eventsPerSecond === 0
    ? undefined
    : { eventsPerSecond, burst: burst === 0 ? 2 * eventsPerSecond : burst };
}

/** Where the ingress writes what it counted. No key covers it; clients cannot write to its team. */
export const ledgerStream: StreamConfig = streamOf({
  ...defaultsOf(streams.items),
  team: 'sluice',
  app: 'ledger',
});

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

interface Streams {
  readonly streams: readonly StreamConfig[];
}

function* streamsApart({ streams }: Streams): Iterable<Finding> {
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
function* reservedNames({ streams }: Streams): Iterable<Finding> {
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

export const streamRules: SectionRules<Streams> = {
  entries: [
    [
      ['streams', '*'],
      [
        reservedTeam,
        envelopeOrPointers,
        whenDownOfReplicated,
        schemaWithValidate,
        shardsOfProvisioned,
      ],
    ],
  ],
  whole: [streamsApart, reservedNames],
};
