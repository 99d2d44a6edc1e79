/**
 * A record writer in memory that keeps the port's promises and does with each record what a test
 * says; and an ingress on a free port over it.
 */
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import type { Ingress, IngressSettings } from '../../ingest/ingress.ts';
import { createIngress } from '../../ingest/ingress.ts';
import { silentLog } from '../../ingest/telemetry/log.ts';
import { issuerOf, jwt, keyOf, keys } from '../../schemas/config/access.ts';
import { ingress, ingressOf, routing } from '../../schemas/config/ingress.ts';
import { defaultsOf } from '../../schemas/config/values.ts';
import type {
  AccessConfig,
  JwtConfig,
  KeyConfig,
  SluiceConfig,
  StreamConfig,
} from '../../schemas/config.ts';
import { ledgerStream } from '../../schemas/config.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';
import { decodeAggregate } from '../../schemas/kpl.ts';
import type { OutgoingRecord, Route } from '../../schemas/ports/record.ts';
import type { RecordWriter, WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { DecodedEvent } from '../../schemas/wire.ts';
import { decodeRecord } from '../../schemas/wire.ts';

export interface WriterDouble extends RecordWriter {
  /** What is in the stream, in order. */
  readonly applied: DecodedEvent[];
  readonly writes: number[];
  /** Decides about each record; `undefined` applies it. */
  decide: (event: DecodedEvent, attempt: number) => WriteOutcome | undefined;
  /** While set, writes wait for it. */
  gate: Promise<void> | undefined;
  readonly actions: string[];
}

export function writerDouble(path: Route, actions: string[]): WriterDouble {
  const attempts = new Map<string, number>();
  const double: WriterDouble = {
    route: path,
    applied: [],
    writes: [],
    decide: () => undefined,
    gate: undefined,
    actions,
    describe: () =>
      Promise.resolve({
        recordMaxBytes: path === 'kinesis' ? 1_048_576 : 8_388_608,
        splits: ['s'],
      }),
    async write(stream, records) {
      // The ledger is no business of these tests, but of its own.
      if (stream === ledgerStream.name)
        return records.map((_record, index) => ({
          kind: 'applied',
          split: 's',
          position: String(index),
        }));
      double.writes.push(records.length);
      actions.push(`${path} written ${records.length}`);
      await double.gate;
      const outcomes = records.map((record): WriteOutcome => {
        const events = eventsOf(record);
        let decided: WriteOutcome | undefined;
        for (const event of events) {
          const attempt = (attempts.get(event.attributes.id) ?? 0) + 1;
          attempts.set(event.attributes.id, attempt);
          decided ??= double.decide(event, attempt);
        }
        if (decided !== undefined) return decided;
        double.applied.push(...events);
        return { kind: 'applied', split: 's', position: String(double.applied.length) };
      });
      actions.push(`${path} applied`);
      return outcomes;
    },
    close: () => Promise.resolve(),
  };
  return double;
}

/** The events that a record holds, which are taken or refused together. */
function eventsOf({ key, value, headers }: OutgoingRecord): readonly DecodedEvent[] {
  const whole = Buffer.concat(value);
  const parts = (headers === undefined ? decodeAggregate(whole) : undefined) ?? [
    { key, value: whole },
  ];
  return parts.map((part) => {
    const decoded = decodeRecord({
      ...part,
      position: '0',
      arrivedAtMs: 0,
      ...(headers === undefined ? {} : { headers }),
    });
    if ('problem' in decoded) throw new Error(decoded.problem);
    return decoded;
  });
}

export function streamConfig(
  team: string,
  app: string,
  more: Partial<StreamConfig> = {},
): StreamConfig {
  return {
    ...ledgerStream,
    team,
    app,
    name: `${team}/${app}`,
    kinesisStream: `${team}-${app}`,
    kafkaTopic: `${team}-${app}`,
    ...more,
  };
}

export const openAccess: AccessConfig = {
  keys: [],
  jwt: [],
  sections: { keys: false, jwt: false },
  openOrigins: ['*'],
  openSegmentStream: undefined,
};

/** A key for the streams of team `a` whose text is `key`, as its name is. */
export function keyConfig(key: string, more: Partial<KeyConfig> = {}): KeyConfig {
  return {
    ...keyOf(defaultsOf(keys.items)),
    name: key,
    sha256: createHash('sha256').update(key).digest('hex'),
    streams: ['a/*'],
    ...more,
  };
}

/** An issuer whose tokens name their sender by `sub` and their streams by `streams`. */
export function issuerConfig(jwks: JwtConfig['jwks'], more: Partial<JwtConfig> = {}): JwtConfig {
  return {
    ...issuerOf(defaultsOf(jwt.items)),
    issuer: 'https://login.example',
    audience: 'sluice',
    jwks,
    streamsClaim: 'streams',
    ...more,
  };
}

/**
 * What an ingress is configured with, by default as a configuration file that says nothing but its
 * streams.
 */
export function settings(
  streams: readonly StreamConfig[],
  bounds: Partial<SluiceConfig['ingress']> = {},
  thresholdBytes = 1_000,
  more: Partial<IngressSettings> = {},
): IngressSettings {
  return {
    streams,
    routing: {
      ...defaultsOf(routing),
      largeMessageThresholdBytes: thresholdBytes,
      claimCheck: false,
    },
    access: openAccess,
    ingress: {
      ...ingressOf(defaultsOf(ingress)),
      port: 0,
      bodyMaxBytes: 16_777_216,
      bodyDecodedMaxBytes: 33_554_432,
      inFlightMaxBytes: 268_435_456,
      spoolMaxBytes: 67_108_864,
      bufferMaxBytes: 1_048_576,
      repeatWindowMs: 60_000,
      repeatWindowMaxBytes: 4 * 1_048_576,
      addressWebSocketsMax: 100,
      logLevel: 'silent',
      ...bounds,
    },
    ...more,
  };
}

export interface Rig {
  readonly ingress: Ingress;
  readonly kinesis: WriterDouble;
  readonly kafka: WriterDouble;
  readonly actions: string[];
}

export async function rig(
  bounds: Partial<SluiceConfig['ingress']> = {},
  thresholdBytes = 1_000,
  clock: Clock = systemClock,
  more: Partial<IngressSettings> = {},
): Promise<Rig> {
  const actions: string[] = [];
  const kinesis = writerDouble('kinesis', actions);
  const kafka = writerDouble('kafka', actions);
  const ingress = await createIngress({
    config: settings(
      [
        streamConfig('a', 'plain'),
        streamConfig('a', 'wrapped', { envelope: 'sluice' }),
        streamConfig('a', 'pointed', {
          event: { id: '/order/id', time: '/at', key: '/user', type: '/kind' },
        }),
      ],
      bounds,
      thresholdBytes,
      more,
    ),
    writers: { kinesis, kafka },
    clock,
    random: systemRandom,
    log: silentLog,
  });
  return { ingress, kinesis, kafka, actions };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly json: Record<string, unknown> & {
    readonly error?: Record<string, unknown>;
    readonly results?: readonly Record<string, unknown>[];
  };
  readonly text: string;
}

export function post(
  url: string,
  body: string | Uint8Array,
  headers: Readonly<Record<string, string>> = {},
  method = 'POST',
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const req = request(
      url,
      { method, headers: { 'content-type': 'application/json', ...headers } },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          const json = (
            res.headers['content-type'] === 'application/json' && text !== ''
              ? JSON.parse(text)
              : {}
          ) as HttpAnswer['json'];
          resolve({ status: res.statusCode ?? 0, headers: res.headers, json, text });
        });
      },
    );
    req.once('error', reject);
    req.end(body);
  });
}
