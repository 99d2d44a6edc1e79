/**
 * Records become the same elements and the same rejections in a Flink job as in the engine: the
 * bundle runs here in a bare context, without Node and without WebAssembly, beside the engine's own
 * way from a reader to its batch.
 */
import { createHash } from 'node:crypto';
import vm from 'node:vm';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleScript } from '../../../deploy/flink/bundle.ts';
import type { SentRecord } from '../../../deploy/flink/runtime/record-forms.ts';
import type { Runtime } from '../../../deploy/flink/runtime/runtime.ts';
import { fromUtf8, isUtf8 } from '../../../deploy/flink/runtime/text-codec.ts';
import { limits } from '../../../schemas/limits.ts';
import type { BlobStore } from '../../../schemas/ports/blob-store.ts';
import type { IncomingRecord } from '../../../schemas/ports/record.ts';
import { encodeBinary } from '../../../schemas/wire.ts';
import { Batch } from '../../../topology/operators/batch.ts';
import type { Rejection } from '../../../topology/operators/operator.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import type { Cursor } from '../../../topology/runtime/cursor.ts';
import { enterRecords } from '../../../topology/runtime/enter-records.ts';
import { unfoldingReader } from '../../../topology/runtime/unfold.ts';
import { encodeOrigin } from '../../../topology/state/origin.ts';
import { root } from '../../repo/support.ts';
import { event, memoryBlobs } from '../../topology/support.ts';

const split = 'partition-0-AbCdEf';
let runtime: Runtime;
/** The globals of the bundle. */
const globals: { Buffer?: { from: unknown } } = {};

beforeAll(async () => {
  const contents = `import { stream, topology } from 'sluice';
    export default topology('records', { version: 1, owner: 'a/b' }, (t) => {
      t.source('plain', stream('a/b')).eventTime('time', (e) => e.at, {
        outOfOrderness: 0,
        idleAfter: '1s',
        future: { max: 0 },
      });
      t.source('text', stream('a/b', { dataText: true }));
    });`;
  const script = await bundleScript(contents, root, 'records.ts');
  const opened = 'delete globalThis.WebAssembly;';
  runtime = vm.runInNewContext(`${opened}${script};__sluice.open('shared')`, globals) as Runtime;
});

type Given = Partial<IncomingRecord> & { readonly value: Uint8Array };

function recordOf(given: Given, n: number): IncomingRecord {
  return { key: 'k', position: String(n + 1), arrivedAtMs: 1_700_000_000_000 + n, ...given };
}

/** A record as the job's sources send it (RawRecord). */
function sentOf(folded: IncomingRecord, opened: IncomingRecord): SentRecord {
  const { value, key, ...head } = folded;
  const parts = (
    bytes: Uint8Array,
    [asText, asBase64]: readonly [string, string],
  ): Record<string, string> => {
    const text = Buffer.from(bytes).toString('utf8');
    return Buffer.from(text, 'utf8').equals(bytes)
      ? { [asText]: text }
      : { [asBase64]: Buffer.from(bytes).toString('base64') };
  };
  return {
    ...head,
    ...(key === '' ? {} : { key }),
    ...{ route: 'kafka', split },
    ...parts(value, ['text', 'value']),
    ...(opened.unresolved === undefined ? {} : { unresolved: opened.unresolved }),
    ...(opened.value === value ? {} : parts(opened.value, ['dataText', 'data'])),
  };
}

interface Entered {
  readonly events: readonly unknown[];
  readonly rejections: readonly unknown[];
}

function byEngine(id: 'plain' | 'text', records: readonly IncomingRecord[]): Entered {
  const source = { id, kind: 'source', stream: 'a/b', dataText: id === 'text' };
  const cursor = { source, route: 'kafka', split, key: `${id} kafka ${split}` } as unknown;
  const batch = new Batch();
  const rejections: Rejection[] = [];
  enterRecords(cursor as Cursor, records, batch, noCounts(), (one) => void rejections.push(one));
  const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
  return {
    events: batch.values.map((value, i) => [
      Math.min(batch.timestamps[i] as number, Number.MAX_SAFE_INTEGER),
      JSON.stringify(value),
      json(encodeOrigin(batch.origins[i] as never)),
    ]),
    rejections: rejections.map(({ node, value, origin, ...reason }) => ({
      operator: node,
      ...reason,
      value: value ?? null,
      origin: json(encodeOrigin(origin as never)),
    })),
  };
}

function byFlink(id: 'plain' | 'text', sent: readonly SentRecord[]): Entered {
  const rows = sent.flatMap((record) => [9, 0, record]);
  return read(runtime.enter(id).run(JSON.stringify(rows)));
}

/** The lines of wire.ts. */
function read(text: string): Entered {
  const [events, rejections]: [unknown[], unknown[]] = [[], []];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length - 1; at++) {
    const line = lines[at] as string;
    if (line.startsWith('R')) rejections.push(JSON.parse(line.slice(1)));
    else {
      expect(line).toBe('E0');
      const [time = '', , , value = '', origin = ''] = lines.slice(at + 1, at + 6);
      const { text: data, ...head } = JSON.parse(origin) as { readonly text?: string };
      const bytes = data === undefined ? {} : { data: Buffer.from(data).toString('base64') };
      // As the functions behind it read it.
      events.push([Number(time), JSON.stringify(JSON.parse(value)), { ...head, ...bytes }]);
      at += 5;
    }
  }
  return { events, rejections };
}

/** Through the engine's reader, which fetches what is pointed to, and into both. */
async function expectSame(given: readonly Given[], store?: BlobStore): Promise<Entered> {
  const folded = given.map(recordOf);
  const reader = unfoldingReader(
    { route: 'kafka', read: () => Promise.resolve({ records: folded, ended: false }) } as never,
    'a/b',
    store,
  );
  const { records } = await reader.read('s', undefined, { maxRecords: 1e6, maxBytes: 1e9 });
  const sent = folded.map((record, n) => sentOf(record, records[n] as IncomingRecord));
  const engine = byEngine('plain', records);
  expect(byFlink('plain', sent)).toEqual(engine);
  expect(byFlink('text', sent)).toEqual(byEngine('text', records));
  return engine;
}

const attributes = {
  ...{ id: '1', source: '/a/b', type: 'a.b', team: 'a', app: 'b', partitionkey: 'k' },
  ...{ datacontenttype: 'application/json' },
  ...{ time: '2026-01-01T00:00:00.000Z', receivedtime: '2026-01-01T00:00:00.000Z' },
};
const textOf = (data: string, more = {}): Given => {
  const { value } = event('1', 0, more);
  const text = Buffer.from(value)
    .toString('utf8')
    .replace(/,"data":0\}$/, () => `,"data":${data}}`);
  return { value: Buffer.from(text) };
};
const bytes = (text: string): Given => ({ value: Buffer.from(text) });
const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('records in a Flink job', () => {
  it('are the elements and the rejections that the engine makes of them', async () => {
    const bare = '"specversion":"1.0","id":"1","team":"a","app":"b"';
    const { events, rejections } = await expectSame([
      event('1', { a: 1, b: ['ü', '\ud83d\ude00'] }, { subject: 's', extensions: { own: 'x' } }),
      event('2', null, { team: 'other' }),
      textOf('{ "a" :\r\n [1, -0, 1e2] }'),
      textOf('{"a":1,"a":2,"10":3,"__proto__":4}'),
      textOf('not json'),
      textOf('{"big":[12345678901234567890,0.1],"s":"1234567890123456789"}'),
      textOf('{"far":[1,1e999]}'),
      textOf('0.10000000000000000555'),
      textOf(nested(limits.jsonDepthMax)),
      textOf(nested(limits.jsonDepthMax + 1)),
      textOf(`[${'{},'.repeat(200)}1]`),
      // Brackets of strings are none.
      textOf(`[${'"[\\"{[",'.repeat(200)}1]`),
      textOf(`["]}\\"]]\\\\",${nested(limits.jsonDepthMax - 1)}]`),
      textOf(`["]}\\"]]\\\\",${nested(limits.jsonDepthMax)}]`),
      textOf('"\u2028\ufeff\ufffd"', { extensions: { data: 'x', dabc: '1', ü: 'ü' } }),
      { ...textOf('1'), arrivedAtMs: 9e18 },
      bytes(`{"data":{"x": "\u00fc"} , ${bare}}`),
      bytes(`{${bare},"subject":"s","n":5,"b":true,"source":null,"type":""}`),
      { ...bytes(`{${bare}}`), key: '' },
      { ...bytes(`{${bare}}`), arrivedAtMs: 9e18 },
      bytes(`{${bare},"data_base64":"AA=="}`),
      bytes('{"id"'),
      bytes('[1]'),
      bytes(''),
      bytes(`\ufeff{${bare}}`),
      { value: new Uint8Array([0xff, 0xe2, 0x82, 0x28]), part: 3 },
      { ...encodeBinary(attributes, Buffer.from('{"a": 1}')), value: Buffer.from('{"a": 1}') },
      { ...encodeBinary(attributes, Buffer.from('')), value: Buffer.from('') },
      {
        ...encodeBinary(attributes, Buffer.from('')),
        value: Buffer.from([0x22, 0xe2, 0x82, 0x22]),
      },
      { value: Buffer.from('1'), headers: { ce_specversion: '1.0', ce_id: 'ü"\n', x: '1' } },
      event('3', null, { extensions: { dataref: 'claim:a/b/c' } }),
    ]);
    expect([events.length, rejections.length]).toEqual([16, 15]);
  });

  // GraalJS without its compiler takes seconds for the bytes of one large record.
  it('are read without their bytes where they are text, also large ones', () => {
    const { Buffer: own } = globals;
    const from = own?.from;
    const text = Buffer.from(textOf(`[${'{"a":[1]},'.repeat(20_000)}1]`).value).toString();
    const sent = { route: 'kafka', split, position: '1', arrivedAtMs: 5, text } as const;
    Object.assign(own ?? {}, {
      from: () => {
        throw new Error('bytes were made of a text');
      },
    });
    try {
      expect(byFlink('plain', [sent])).toMatchObject({ events: [{}], rejections: [] });
    } finally {
      Object.assign(own ?? {}, { from });
    }
  });

  it.each([
    ['characters', 'a'.repeat(12_000_000)],
    ['escapes', '\\n'.repeat(6_000_000)],
  ])('are read with a string of many %s and many brackets', (_name, long) => {
    const data = `["${long}",${'{},'.repeat(200)}1]`;
    const text = Buffer.from(textOf(data).value).toString();
    const sent = { route: 'kafka', split, position: '1', arrivedAtMs: 5, text } as const;
    const { events, rejections } = byFlink('plain', [sent]);
    expect([events.length, rejections.length]).toEqual([1, 0]);
  });

  it('are the same whatever is changed in their bytes', async () => {
    const whole = fc.constantFrom(
      event('1', { a: 1.5, b: [null, 'ü'] }, { subject: 's' }).value,
      textOf('{"n":12345678901234567890}').value,
      bytes('{"data":[1] ,"specversion":"1.0","id":"1","team":"a","app":"b"}').value,
    );
    const broken = fc
      .tuple(
        whole,
        fc.array(fc.tuple(fc.nat(300), fc.uint8Array({ maxLength: 3 })), { maxLength: 2 }),
      )
      .map(([value, changes]): Given => {
        let made = Buffer.from(value);
        for (const [at, put] of changes)
          made = Buffer.concat([made.subarray(0, at), put, made.subarray(at + put.length)]);
        return { value: made };
      });
    const valid = fc
      .tuple(fc.json(), fc.string({ unit: 'grapheme' }))
      .map(([data, subject]) => textOf(data, { subject }));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(broken, valid), { maxLength: 8 }), (given) =>
        expectSame(given).then(() => undefined),
      ),
      { numRuns: 200 },
    );
  });

  it('have the data that they point to, or are rejected', async () => {
    const store = memoryBlobs();
    const claim = (key: string, data: Uint8Array, more: object = {}): Given => {
      store.blobs.set(key, data);
      const datasha256 = createHash('sha256').update(data).digest('hex');
      const pointer = { dataref: `claim:${key}`, datasize: String(data.length), datasha256 };
      return event('1', null, { subject: 's', extensions: { own: 'x', ...pointer, ...more } });
    };
    const { events, rejections } = await expectSame(
      [
        claim('a/b/1', Buffer.from('{ "spaced" : 1e0 }')),
        claim('a/b/2', Buffer.from([0x22, 0xff, 0x22])),
        claim('a/b/3', Buffer.from('no json')),
        claim('a/c/4', Buffer.from('1')),
        claim('a/b/5', Buffer.from('1'), { datasize: '2' }),
        claim('a/b/6', Buffer.from('1'), { dataref: 'claim:a/b/none' }),
      ],
      store,
    );
    expect([events.length, rejections.length]).toEqual([2, 4]);
    expect(rejections).toMatchObject([
      { code: 'undecodable-record' },
      ...Array(3).fill({ code: 'claim-unresolved' }),
    ]);
  });

  it('let what is said of splits pass in its place', () => {
    const begin = { split: 's', parents: [], told: false };
    const record = { route: 'kafka', split, position: '1', arrivedAtMs: 5 };
    const text = Buffer.from(event('1', 1).value).toString();
    const rows = [5, 0, begin, 9, 0, { ...record, text }, 8, 0, ['s']];
    const lines = runtime.enter('plain').run(JSON.stringify(rows)).split('\n');
    expect([lines[0], lines[1], lines[3]]).toEqual(['C0', '5', JSON.stringify(begin)]);
    expect(lines[4]).toBe('E0');
    expect(lines.slice(10)).toEqual(['C0', '8', '0', '["s"]', '']);
  });
});

describe('what readers say of their splits', () => {
  const [watermark, tick, split, heard, readsKind] = [1, 4, 5, 10, 11];
  const key = (name: string): string => `plain kafka ${name}`;
  const begun = (name: string) => [split, 0, { split: key(name), parents: [], told: true }, null];
  const reads = (...names: readonly string[]) => [
    ...[readsKind, 0],
    { place: 'plain kafka', splits: names.map(key) },
    null,
  ];
  const element = (name: string, at: number) => [
    ...[0, 0, { at }],
    { stream: 'a/b', path: 'kafka', split: name, splitKey: key(name), attributes: {}, data: '' },
  ];
  const at = (ms: number) => [tick, ms, null, null];
  const hear = (ms: number, ...names: readonly string[]) => [
    ...[heard, 0],
    Object.fromEntries(names.map((name) => [key(name), ms])),
    null,
  ];
  /** What a part of the operator says of time. */
  const partOf = (restored?: readonly string[]) => {
    const segment = runtime.segment('time');
    segment.expect(1);
    if (restored !== undefined) segment.restore(`[${restored.join()}]`);
    const say = (...rows: readonly (readonly unknown[])[]): readonly string[] =>
      segment
        .run(
          JSON.stringify(rows.flatMap((row) => row.slice(0, 3))),
          rows
            .filter(([kind]) => kind === 0)
            .map((row) => JSON.stringify(row[3]))
            .join('\n'),
        )
        .split('\n')
        .filter((line) => /^[WIA]/.test(line));
    return { say, segment };
  };

  it('moves time with a split to the part that reads it, and leaves the others free', () => {
    const { say, segment } = partOf();
    expect(say(begun('p0'), begun('p1'), reads('p0', 'p1'))).toEqual([]);
    expect(say(element('p0', 100), element('p1', 50), at(1))).toEqual(['W49']);
    const snapshot = segment.snapshot();
    const [one, other, none] = [partOf([snapshot]), partOf([snapshot]), partOf([snapshot])];
    // Until its reader has said what it has, a part is held by all splits.
    expect(one.say(element('p0', 200), at(2))).toEqual([]);
    expect(one.say(begun('p0'), reads('p0'), at(3))).toEqual(['W199']);
    expect(other.say(begun('p1'), reads('p1'), at(3))).toEqual([]);
    expect(other.say(element('p1', 60), at(4))).toEqual(['W59']);
    expect(none.say(reads(), at(3))).toEqual(['I']);
    expect(none.say(begun('p2'), reads('p2'), at(4))).toEqual(['A']);
    // Back in one part: each split where its own part had it.
    const parts = [one, other].map((part) => part.segment.snapshot());
    const last = partOf(parts);
    expect(last.segment.said()).toBe('W59\n');
    expect(last.say(begun('p0'), begun('p1'), reads('p0', 'p1'), at(5))).toEqual([]);
    expect(last.say(element('p1', 300), at(6))).toEqual(['W199']);
  });

  it('takes a split for idle when its end was found, and not for being read late', () => {
    const { say } = partOf();
    say(begun('p0'), begun('p1'), reads('p0', 'p1'), element('p0', 10), element('p1', 10), at(1));
    expect(say(element('p0', 9_000), at(20_000))).toEqual([]);
    expect(say(element('p0', 9_001), at(90_000))).toEqual([]);
    // Found empty for longer than it takes, and again since the others moved on.
    expect(say(hear(92_000, 'p1'), element('p0', 9_002), at(92_001))).toEqual([]);
    expect(say(hear(94_000, 'p1'), at(94_001))).toEqual(['W9001']);
    expect(say([watermark, 'max', true, null])).toEqual(['Wmax']);
  });
});

describe('UTF-8 without an engine', () => {
  it('is what Node makes of any bytes', () => {
    const piece = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc1,
      0xc3,
      0xe0,
      0xe2,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xff,
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.nat(255)), { maxLength: 12 }), (all) => {
        const made = Buffer.from(all);
        expect(fromUtf8(made)).toBe(made.toString('utf8'));
        expect(isUtf8(made)).toBe(Buffer.from(made.toString('utf8')).equals(made));
      }),
      { numRuns: 2_000 },
    );
  });
});
