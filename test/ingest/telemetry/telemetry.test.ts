/**
 * What the ingress says of itself: metrics, warnings, the ledger, the log.
 */
import { connect } from 'node:net';
import { Writable } from 'node:stream';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { Ingress } from '../../../ingest/ingress.ts';
import { createIngress } from '../../../ingest/ingress.ts';
import { createHistogram, histogramBoundsMs } from '../../../ingest/telemetry/histogram.ts';
import { deriveLedger } from '../../../ingest/telemetry/ledger.ts';
import { createLog } from '../../../ingest/telemetry/log.ts';
import { IngressMetrics } from '../../../ingest/telemetry/metrics.ts';
import { createWarnings } from '../../../ingest/telemetry/warnings.ts';
import type { LogLevel } from '../../../schemas/config.ts';
import { manualClock, systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';
import { limits } from '../../../schemas/limits.ts';
import type { OutgoingRecord } from '../../../schemas/ports/record.ts';
import { keyConfig, openAccess, post, settings, streamConfig, writerDouble } from '../support.ts';

const open: Ingress[] = [];
afterEach(async () => {
  for (const ingress of open.splice(0)) await ingress.shutDown();
});

async function observed(level: LogLevel = 'info', key?: string) {
  const lines: string[] = [];
  const to = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const ledger: OutgoingRecord[] = [];
  const kinesis = writerDouble('kinesis', []);
  const own = kinesis.write.bind(kinesis);
  kinesis.write = (stream, records) => {
    if (stream === 'sluice/ledger') ledger.push(...records);
    return own(stream, records);
  };
  const clock = manualClock(Date.parse('2026-01-01T00:00:30Z'));
  const keys = key === undefined ? [] : [keyConfig('k', { sha256: key, streams: ['a/x'] })];
  const ingress = await createIngress({
    config: settings([streamConfig('a', 'x')], {}, 1_000, { access: { ...openAccess, keys } }),
    writers: { kinesis, kafka: writerDouble('kafka', []) },
    // Timers of the ledger are moved by hand; those of writes are the system's, as what they wait
    // for is real.
    clock: {
      ...clock,
      setTimer: (ms, fire) =>
        (ms > 29_999 && ms <= 60_000 ? clock : systemClock).setTimer(ms, fire),
    },
    random: systemRandom,
    log: createLog({ level, json: true, to }),
    instance: 'one',
  });
  open.push(ingress);
  return { ingress, clock, lines, ledger, kinesis };
}

describe('metrics', () => {
  it('put each observation into the bucket whose bound is the first not below it', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 60_000, noNaN: true })), (values) => {
        const histogram = createHistogram();
        for (const value of values) histogram.observe(value);
        const expected = [...histogramBoundsMs, Number.POSITIVE_INFINITY].map(
          (bound, index) =>
            values.filter((value) => value <= bound && value > (histogramBoundsMs[index - 1] ?? -1))
              .length,
        );
        expect([...histogram.counts]).toEqual(expected);
      }),
    );
  });

  it('are Prometheus text by the naming rule, each family once with help and type, histograms cumulative', async () => {
    const { ingress } = await observed();
    await post(`${ingress.url}/v1/a/x`, '[1,2]', { 'x-client-timestamp': '1' });
    await post(`${ingress.url}/v1/a/x`, '{');
    const { text } = await ingress.metrics();
    const typed = new Map<string, string>();
    for (const line of text.split('\n').filter((one) => one !== '')) {
      const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(line);
      if (type !== null) {
        expect(typed.has(type[1] as string)).toBe(false);
        typed.set(type[1] as string, type[2] as string);
      } else if (!line.startsWith('# HELP ')) {
        const sample = /^([a-z_]+)(\{(?:[a-z_]+="[^"\\\n]*",?)*\})? (-?[\d.e+-]+|NaN)$/.exec(line);
        expect(sample, line).not.toBeNull();
        const name = sample?.[1] as string;
        const family = name.replace(/_(?:bucket|sum|count)$/, '');
        const kind = typed.get(name) ?? typed.get(family);
        expect(kind, line).toBeDefined();
        expect(name).toMatch(/^sluice_ingress_/);
        if (kind === 'counter') expect(name).toMatch(/_total$/);
      }
    }
    expect(text).toContain('sluice_ingress_events_accepted_total{stream="a/x",route="kinesis"} 2');
    expect(text).toContain('sluice_ingress_events_refused_total{stream="a/x",code="not-json"} 1');
    expect(text).toContain('sluice_ingress_latency_seconds_count{stage="end_to_end"} 2');
    expect(text).toContain('sluice_ingress_latency_seconds_bucket{stage="end_to_end",le="+Inf"} 2');
    expect(text).toContain('sluice_ingress_answers_total{status="400"} 1');
    expect(text).toContain('sluice_ingress_breaker_state{stream="a/x",path="kinesis"} 0');
    expect(text).toContain('sluice_ingress_batch_records_total{stream="a/x",path="kinesis"} 2');
    const placed = [
      ...text.matchAll(
        /^sluice_ingress_split_records_total\{stream="a\/x",path="kinesis",split="[^"]+"\} (\d)$/gm,
      ),
    ];
    expect(placed.reduce((sum, [, count]) => sum + Number(count), 0)).toBe(2);
  });

  it('count what writes failed for, by code, and what happened to connections', async () => {
    const metrics = new IngressMetrics();
    const throttled = {
      kind: 'refused',
      code: 'throughput-exceeded',
      message: 'too much for the shard',
      retryable: true,
    } as const;
    metrics.batch(
      'a/x',
      'kinesis',
      [{ kind: 'applied', split: 'shardId-1', position: '7' }, throttled, throttled],
      30,
      4,
    );
    metrics.gauges(() => ({
      inFlightBytes: 0,
      bufferedBytes: 0,
      webSockets: 0,
      repeats: { size: 0, bytes: 0, evicted: 0 },
      spoolMaxBytes: 1_000,
      routes: [],
      reloads: { taken: 2, refused: 1, refusal: { sinceMs: 1_500, why: 'x' } },
      happened: { 'kafka-token-refreshed': 3 },
    }));
    const text = await metrics.text();
    expect(text).toContain(
      'sluice_ingress_split_records_total{stream="a/x",path="kinesis",split="shardId-1"} 1',
    );
    expect(text).toContain(
      'sluice_ingress_write_failures_total{stream="a/x",path="kinesis",code="throughput-exceeded"} 2',
    );
    expect(text).toContain('sluice_ingress_config_reloads_total{outcome="refused"} 1');
    expect(text).toContain('sluice_ingress_config_refused_since_seconds 1.5');
    expect(text).toContain('sluice_ingress_spool_max_bytes 1000');
    expect(text).toContain(
      'sluice_ingress_connection_events_total{event="kafka-token-refreshed"} 3',
    );
  });
});

describe('warnings', () => {
  const refusal = { status: 400, code: 'not-json', message: 'm' } as const;

  it('tell a key what was refused of its own, how often, with a sample, and nothing of what another key sent', () => {
    const warnings = createWarnings();
    warnings.note('a/x', 'mine', refusal, Buffer.from('first'), 1_000);
    warnings.note('a/x', 'mine', refusal, Buffer.from('second'), 2_000);
    warnings.note('a/x', 'other', refusal, Buffer.from('secret'), 3_000);
    warnings.note('a/y', 'mine', refusal, Buffer.from('elsewhere'), 4_000);
    expect(warnings.of('a/x', 'mine', 5_000)).toEqual([
      {
        ...refusal,
        count: 2,
        first: '1970-01-01T00:00:01.000Z',
        last: '1970-01-01T00:00:02.000Z',
        sample: 'first',
      },
    ]);
    warnings.note('a/x', 'mine', refusal, Buffer.from('third'), 62_000);
    expect(warnings.of('a/x', 'mine', 62_000)[0]).toMatchObject({ count: 3, sample: 'third' });
    expect(warnings.of('a/x', 'third', 62_000)).toEqual([]);
    expect(warnings.of('a/x', 'mine', 62_000 + 25 * 3_600_000)).toEqual([]);
  });

  it('are bounded, and the longest unseen kind goes first', () => {
    const warnings = createWarnings();
    for (let n = 0; n < 300; n++)
      warnings.note('a/x', 'k', { ...refusal, pointer: `/${n}` }, undefined, n);
    const kept = warnings.of('a/x', 'k', 300);
    expect([kept.length, kept[0]?.pointer, kept.at(-1)?.pointer]).toEqual([
      limits.warningsPerSenderMax,
      '/299',
      '/236',
    ]);
  });

  it('of many keys that make ever new kinds push out their own, not those of a key that has few', () => {
    const warnings = createWarnings();
    warnings.note('a/x', 'quiet', refusal, Buffer.from('mine'), 0);
    const keys = Math.ceil(limits.warningsMax / limits.warningsPerSenderMax) + 5;
    for (let key = 0; key < keys; key++)
      for (let n = 0; n < limits.warningsPerSenderMax; n++)
        warnings.note('a/x', `flood${key}`, { ...refusal, pointer: `/${n}` }, undefined, n);
    expect(warnings.of('a/x', 'quiet', 100)).toMatchObject([{ sample: 'mine' }]);
    const kept = Array.from(
      { length: keys },
      (_, key) => warnings.of('a/x', `flood${key}`, 100).length,
    );
    expect(kept.reduce((sum, count) => sum + count, 0)).toBe(limits.warningsMax - 1);
  });

  it('are served to the key that sent what was refused', async () => {
    const { ingress } = await observed();
    await post(`${ingress.url}/v1/a/x`, '{"n":', { 'x-event-id': 'e' });
    const { status, json } = await post(`${ingress.url}/v1/a/x/warnings`, '', {}, 'GET');
    expect([status, json]).toMatchObject([
      200,
      { stream: 'a/x', warnings: [{ code: 'not-json', status: 400, count: 1, sample: '{"n":' }] },
    ]);
  });
});

describe('the ledger', () => {
  it('tells every count once, whatever the clock does', () => {
    const step = fc.record({
      accepted: fc.nat(5),
      repeated: fc.nat(3),
      refused: fc.nat(3),
      clockMs: fc.integer({ min: -100_000, max: 100_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const metrics = new IngressMetrics();
        const sums = { received: 0, accepted: 0, repeated: 0, refused: 0 };
        let before = metrics.counts();
        let nowMs = 0;
        for (const { accepted, repeated, refused, clockMs } of steps) {
          for (let i = 0; i < accepted; i++) metrics.accepted('a/x', 'replicated', 'kafka', 1);
          for (let i = 0; i < repeated; i++) metrics.accepted('a/x', 'repeated', 'kinesis', 1);
          for (let i = 0; i < refused; i++)
            metrics.refused(i % 2 === 0 ? 'a/x' : undefined, 'not-json');
          const after = metrics.counts();
          const [all] = deriveLedger(before, after, nowMs, nowMs + clockMs, 'one');
          before = after;
          nowMs += clockMs;
          expect(all?.balanced ?? true).toBe(true);
          sums.received += all?.received ?? 0;
          sums.accepted += all?.accepted.kafka ?? 0;
          sums.repeated += all?.repeated ?? 0;
          sums.refused += all?.refused['not-json'] ?? 0;
        }
        const total = metrics.counts();
        expect(sums).toEqual({
          received: total.received,
          accepted: total.accepted.kafka,
          repeated: total.repeated,
          refused: total.refused['not-json'] ?? 0,
        });
      }),
    );
  });

  it('is written at each full minute as events on sluice/ledger, which are not counted themselves', async () => {
    const { ingress, clock, ledger } = await observed();
    await post(`${ingress.url}/v1/a/x`, '1', { 'x-event-id': 'e' });
    await post(`${ingress.url}/v1/a/x`, '1', { 'x-event-id': 'e' });
    await post(`${ingress.url}/v1/a/x`, '{');
    clock.advance(30_000);
    while (ledger.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const entries = ledger.map(
      ({ value }) =>
        JSON.parse(Buffer.concat(value).toString()) as { subject: string; data: object },
    );
    expect(entries.map(({ subject }) => subject).sort()).toEqual(['*', 'a/x']);
    expect(entries[0]?.data).toMatchObject({
      from: '2026-01-01T00:00:30.000Z',
      to: '2026-01-01T00:01:00.000Z',
      instance: 'one',
      received: 3,
      accepted: { kinesis: 1, kafka: 0 },
      repeated: 1,
      refused: { 'not-json': 1 },
      balanced: true,
    });
    clock.advance(60_000);
    expect(ledger).toHaveLength(2);
    expect(ingress.counts().received).toBe(3);
    expect((await post(`${ingress.url}/v1/sluice/ledger`, '1')).status).toBe(403);
  });
});

describe('the log', () => {
  /** Control characters, what turns the direction of text, and line separators. */
  const unprintable = /[^\P{C}\p{Cn}\p{Co}]|[\p{Zl}\p{Zp}]/u;

  it('has a line a request at debug, with who and what but no data, and none at info', async () => {
    const quiet = await observed('info');
    await post(`${quiet.ingress.url}/v1/a/x`, '"secret"');
    expect(quiet.lines).toEqual([]);
    const { ingress, lines } = await observed('debug');
    await post(`${ingress.url}/v1/a/x?key=hidden`, '"secret"', {
      'x-request-id': 'r1',
      'x-api-key': 'hidden',
    });
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      requestId: 'r1',
      stream: 'a/x',
      key: '(everybody)',
      status: 200,
      events: 1,
      msg: 'request',
    });
    expect(lines[0]).not.toMatch(/secret|hidden/);
  });

  it.each([true, false])(
    'has one printable line for an entry, whatever is in it (JSON: %s)',
    (json) => {
      const text = fc.string({
        unit: fc.constantFrom(
          'a',
          '"',
          '\\',
          '\n',
          '\r',
          '\t',
          '\0',
          '\u001b[31m',
          '\u007f',
          '\u0085',
          '\u009b',
          '\u2028',
          '\u2029',
          '\u202e',
          '\ud800',
          'é',
          '\u{1f600}',
          '{"level":50}',
        ),
        maxLength: 60,
      });
      fc.assert(
        fc.property(text, text, fc.dictionary(text, text), (value, message, nested) => {
          const written: string[] = [];
          const to = new Writable({
            write(chunk: Buffer, _encoding, done) {
              written.push(chunk.toString());
              done();
            },
          });
          createLog({ level: 'debug', json, to }).warn(
            { value, nested, err: new Error(message) },
            message,
          );
          const line = written.join('');
          expect([line.indexOf('\n'), unprintable.test(line.slice(0, -1))]).toEqual([
            line.length - 1,
            false,
          ]);
          if (json && !/\p{Surrogate}/u.test(value + message))
            expect(JSON.parse(line)).toMatchObject({ value, msg: message });
        }),
      );
    },
  );

  it('is lines of JSON whatever bytes a client sends in its head', async () => {
    const { ingress, lines } = await observed('debug');
    const odd = [
      '%0a{"level":50}',
      '\xe2\x80\xa8',
      '\x1b[31m',
      '\xff\xfe',
      '"',
      '%00',
      '\x9b1m',
      '%e2%80%ae',
    ];
    const heads = odd.flatMap((text) => [
      `POST /v1/a/x${text} HTTP/1.1\r\n`,
      `POST /v1/a/x?key=${text} HTTP/1.1\r\n`,
      ...[
        'X-Request-Id',
        'Origin',
        'Authorization',
        'X-Event-Id',
        'Content-Type',
        'ce-id',
        'Content-Encoding',
        'traceparent',
      ].map((name) => `POST /v1/a/x HTTP/1.1\r\n${name}: ${text}\r\n`),
    ]);
    for (const head of heads) {
      await new Promise<void>((resolve) => {
        const socket = connect(ingress.port, '127.0.0.1', () =>
          socket.end(
            `${head}Host: 127.0.0.1:${ingress.port}\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1`,
            'latin1',
          ),
        );
        socket.on('error', () => undefined);
        socket.resume().once('close', () => resolve());
      });
    }
    expect(lines.length).toBeGreaterThan(odd.length);
    for (const line of lines) {
      expect([line.indexOf('\n'), unprintable.test(line.slice(0, -1))]).toEqual([
        line.length - 1,
        false,
      ]);
      expect(JSON.parse(line)).toMatchObject({ msg: 'request' });
    }
  });
});
