/**
 * Packing and outcomes as pure functions, by properties: every row once and in order, within every
 * limit; only what was not taken comes again.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { derivePutFault, derivePutReply } from '../../../deploy/streams/firehose/put-outcome.ts';
import type { PackedCall } from '../../../enrich/firehose/pack-rows.ts';
import {
  firehoseCallMaxBytes,
  firehoseCallMaxRecords,
  firehoseRecordMaxBytes,
  firehoseRecordMaxRows,
  RowPacker,
  wireBytes,
} from '../../../enrich/firehose/pack-rows.ts';
import { lineWriter } from '../../../enrich/firehose/row-line.ts';
import { batchOf } from '../support.ts';

const lineOf = (n: number, bytes: number): Buffer =>
  Buffer.from(`${String(n).padStart(Math.max(bytes, 8) - 1, '0')}\n`);

function pack(sizes: readonly number[], rowsPerRecord?: number): readonly PackedCall[] {
  const packer = new RowPacker(rowsPerRecord);
  const calls = sizes.map((bytes, n) => packer.add(lineOf(n, bytes)));
  return [...calls, packer.flush()].filter((call) => call !== undefined);
}

function expectWithin(calls: readonly PackedCall[], rows: number): void {
  for (const { records } of calls) {
    expect(records.length).toBeLessThanOrEqual(firehoseCallMaxRecords);
    expect(records.reduce((sum, { data }) => sum + wireBytes(data.length), 0)).toBeLessThanOrEqual(
      firehoseCallMaxBytes,
    );
    for (const { data, rows: count } of records) {
      expect(data.length).toBeLessThanOrEqual(firehoseRecordMaxBytes);
      expect(count).toBeLessThanOrEqual(firehoseRecordMaxRows);
      expect(count).toBe(data.toString().split('\n').length - 1);
    }
  }
  const found = calls.flatMap(({ records }) =>
    records.flatMap(({ data }) => data.toString().trimEnd().split('\n').map(Number)),
  );
  expect(found).toEqual(Array.from({ length: rows }, (_, n) => n));
  expect(calls.reduce((sum, call) => sum + call.rows, 0)).toBe(rows);
}

describe('packing rows for Firehose', () => {
  it('gives each row a record of its own where a record is one row', () => {
    const calls = pack(
      Array.from({ length: 1_203 }, () => 20),
      1,
    );
    expectWithin(calls, 1_203);
    expect(calls.map(({ records }) => records.length)).toEqual([500, 500, 203]);
  });

  it('keeps every row once and in order, within the limits, whatever their sizes', () => {
    const size = fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 8, max: 5_000 }) },
      { weight: 2, arbitrary: fc.integer({ min: 200_000, max: firehoseRecordMaxBytes }) },
      { weight: 1, arbitrary: fc.constant(firehoseRecordMaxBytes) },
    );
    fc.assert(
      fc.property(fc.array(size, { maxLength: 60 }), (sizes) =>
        expectWithin(pack(sizes), sizes.length),
      ),
      { numRuns: 40 },
    );
  });

  it('fills records to their rows and calls to their records', () => {
    expect(
      pack(Array<number>(1_200).fill(10)).map(({ records }) => records.map(({ rows }) => rows)),
    ).toEqual([[500, 500, 200]]);
    const many = pack(Array<number>(firehoseCallMaxRecords * firehoseRecordMaxRows + 1).fill(8));
    expect(many.map(({ records }) => records.length)).toEqual([500, 1]);
    const large = pack(Array<number>(7).fill(firehoseRecordMaxBytes));
    expect(large.map(({ records }) => records.length)).toEqual([3, 3, 1]);
  });
});

describe('outcomes of a call', () => {
  it('takes again exactly the places that have an error', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.option(fc.constantFrom('ServiceUnavailableException', 'InternalFailure'), {
            nil: undefined,
          }),
        ),
        (errors) => {
          const outcome = derivePutReply({ errors }, errors.length);
          const places = outcome.kind === 'again' ? outcome.places : [];
          expect(places).toEqual(
            errors.flatMap((error, place) => (error === undefined ? [] : [place])),
          );
          const isFailure = errors.includes('InternalFailure');
          if (outcome.kind === 'again')
            expect(outcome.why).toBe(isFailure ? 'failed' : 'throttled');
        },
      ),
    );
  });

  it('knows what says nothing certain', () => {
    const fault = (name: string, httpStatusCode?: number): unknown =>
      Object.assign(new Error('x'), { name, $metadata: { httpStatusCode } });
    expect(derivePutReply({ errors: [undefined] }, 2)).toMatchObject({
      kind: 'again',
      places: [0, 1],
      why: 'unknown',
    });
    expect(derivePutFault(fault('TimeoutError'), 2)).toMatchObject({
      kind: 'again',
      places: [0, 1],
      why: 'unknown',
    });
    expect(derivePutFault(fault('InternalFailure', 500), 1)).toMatchObject({
      kind: 'again',
      why: 'unknown',
    });
    expect(derivePutFault(fault('ExpiredTokenException', 403), 1)).toMatchObject({
      kind: 'again',
      why: 'failed',
    });
    expect(derivePutFault(fault('AccessDeniedException', 400), 1)).toEqual({
      kind: 'refused',
      code: 'AccessDeniedException',
    });
  });
});

describe('throttling', () => {
  it.each([
    ['ServiceUnavailableException', 503],
    ['ThrottlingException', 400],
    ['LimitExceededException', 400],
    ['RequestLimitExceeded', 503],
    ['TooManyRequestsException', 429],
    ['Unnamed', 429],
  ])('is known by %s (%i)', (name, httpStatusCode) => {
    const thrown = Object.assign(new Error('x'), { name, $metadata: { httpStatusCode } });
    expect(derivePutFault(thrown, 1)).toMatchObject({ kind: 'again', why: 'throttled' });
  });
});

describe('a row as a line', () => {
  const schema = {
    $id: 'https://sluice.example/line',
    type: 'object',
    required: ['n'],
    properties: { n: { type: 'integer' }, team: { type: 'string' } },
  };
  const options = { schema, owner: { team: 'own', app: 'er' }, sink: 't/s' };
  const at = Date.parse('2026-01-02T03:04:05Z');
  const parsed = (values: readonly unknown[]): readonly Readonly<Record<string, unknown>>[] =>
    lineWriter(options)(batchOf(values, () => at)).lines.map(
      ({ line }) => JSON.parse(line.toString()) as Record<string, unknown>,
    );

  it('has its partition and an identity that is the same when it comes again, and another for its equal', () => {
    const [one, two, other] = parsed([{ n: 1 }, { n: 1 }, { n: 2, team: 'x' }]);
    expect(one).toMatchObject({
      n: 1,
      team: 'own',
      app: 'er',
      date: '2026-01-02',
      hour: '03',
      row_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
    });
    expect(other).toMatchObject({ n: 2, team: 'x' });
    expect(new Set([one, two, other].map((row) => row?.['row_id'])).size).toBe(3);
    expect(parsed([{ n: 1 }])[0]?.['row_id']).toBe(one?.['row_id']);
  });

  it('is delivered only where a prefix with its values names the folders that a table has; what names none is refused', () => {
    const wide = {
      ...schema,
      properties: { n: { type: 'integer' }, team: { type: ['string', 'null'] } },
    };
    const of = (
      partitionBy: readonly ('date' | 'team')[],
    ): ReturnType<ReturnType<typeof lineWriter>> => {
      const teams = ['x', 'café', 'a/b', 'null', null, '', '__HIVE_DEFAULT_PARTITION__'];
      const rows = [...teams.map((team, n) => ({ n, team })), { n: 7 }];
      return lineWriter({ ...options, schema: wide, partitionBy })(batchOf(rows, () => at));
    };
    const { lines, rejected } = of(['date', 'team']);
    expect(lines.map(({ index, isPlain }) => [index, isPlain])).toEqual([
      [0, true],
      [1, true],
      [2, false],
      [3, false],
      [4, false],
      [7, true],
    ]);
    expect(rejected.map(({ index, pointer }) => [index, pointer])).toEqual([
      [5, '/team'],
      [6, '/team'],
    ]);
    expect(of(['date']).lines.every(({ isPlain }) => isPlain)).toBe(true);
  });

  it('keeps what the row says of its team and app, also where that is no text', () => {
    const wide = {
      ...schema,
      properties: {
        n: { type: 'integer' },
        team: { type: ['integer', 'null'] },
        app: { type: ['boolean', 'null'] },
      },
    };
    const values = [{ n: 1, team: 7, app: false }, { n: 2, team: null, app: null }, { n: 3 }];
    const { lines } = lineWriter({ ...options, schema: wide })(batchOf(values, () => at));
    const found = lines.map(
      ({ line }) =>
        JSON.parse(line.toString()) as { readonly team: unknown; readonly app: unknown },
    );
    expect(found.map(({ team, app }) => [team, app])).toEqual([
      [7, false],
      [null, null],
      ['own', 'er'],
    ]);
  });

  it('refuses what the schema does, times without a date, and schemas that have its members', () => {
    const { rejected, lines } = lineWriter(options)(
      batchOf([{ n: 'a' }, { n: 1 }, { n: 2 }], (_row, index) => (index === 2 ? 9e15 : at)),
    );
    expect([rejected.map(({ index }) => index), lines.map(({ index }) => index)]).toEqual([
      [0, 2],
      [1],
    ]);
    const taken = { ...schema, properties: { ...schema.properties, row_id: { type: 'string' } } };
    expect(() => lineWriter({ ...options, schema: taken })).toThrow(
      expect.objectContaining({ code: 'columns-reserved' }),
    );
  });
});
