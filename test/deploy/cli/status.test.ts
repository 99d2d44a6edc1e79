import { describe, expect, it } from 'vitest';
import { pathText } from '../../../deploy/cli/commands/status/status.ts';
import { topologyDetails } from '../../../deploy/cli/commands/status/status-details.ts';
import { checkpointText, topologyLine } from '../../../deploy/cli/commands/status/status-text.ts';
import type { TopologyHostStatus } from '../../../deploy/host/hosted-topology.ts';
import { deriveHealth, healthy } from '../../../topology/checkpoint/health.ts';
import type { SplitStatus } from '../../../topology/index.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import { hostStatus, jobStatus } from '../host/host-status.ts';

it('tells what a path has in its spool, for how long, and that its breaker is open', () => {
  const path = {
    stream: 'a/x',
    path: 'kinesis',
    breaker: 'open',
    queueBytes: 10,
    spoolRecords: 3,
    spoolBytes: 300,
    spoolAgeMs: 4_600,
  } as const;
  expect(pathText(path)).toBe(
    'a/x kinesis: breaker open, 10 bytes wait; 3 records (300 bytes) in its spool, the oldest for 5 s',
  );
  expect(pathText({ ...path, spoolRecords: 0, breaker: 'half-open' })).toBe(
    'a/x kinesis: breaker half-open, 10 bytes wait',
  );
});

it('tells of a checkpoint that failed at once, and loudly of three in a row', () => {
  const failure = {
    checkpoint: 4,
    code: 'disk-full' as const,
    message: 'no room',
    fix: 'free some space',
    atMs: 0,
    againInMs: 300,
  };
  const failed = (times: number) =>
    Array.from({ length: times }).reduce<typeof healthy>(
      (health) => deriveHealth(health, { kind: 'checkpoint-failed', failure }),
      healthy,
    );
  expect(checkpointText(failed(1))).toBe('the last checkpoint failed: no room (free some space)');
  expect(checkpointText(failed(3))).toBe(
    'ALARM: 3 checkpoints failed in a row since 1970-01-01T00:00:00.000Z: no room (free some space)',
  );
  expect(deriveHealth(failed(3), { kind: 'checkpoint-completed', checkpoint: 4 })).toEqual({
    ...healthy,
    failures: 3,
  });
});

describe('a topology', () => {
  const split = (n: number, more: Partial<SplitStatus> = {}): SplitStatus => ({
    source: 'orders',
    stream: 'shop/orders',
    path: 'kinesis',
    split: `shard-${n}`,
    position: null,
    lag: 2,
    behindMs: null,
    eventLagMs: null,
    watermark: 'min',
    idle: false,
    hearing: 'caught-up',
    unheardSinceMs: null,
    ...more,
  });
  it('says what was lost, in its line by number and in its details by range', () => {
    const found = {
      source: 'orders',
      stream: 'shop/orders',
      path: 'kafka',
      split: 'partition-0',
      readToMs: null,
      atMs: 0,
    } as const;
    const trimmed = { ...found, kind: 'trimmed', after: '3', before: '44', records: 40 } as const;
    const gone = { ...found, kind: 'gone', after: '9', before: null, records: null } as const;
    const losses = { total: 2, records: 40, uncounted: 1, last: [trimmed, gone] };
    const status = hostStatus({ name: 'orders', job: jobStatus([], { losses }) });
    expect(topologyLine(status, 3_000)).toContain(
      'lost 40 records and 1 time(s) an unknown number',
    );
    expect(topologyDetails(status, 3_000)).toContain(
      '  found at 1970-01-01T00:00:00.000Z: shop/orders kafka partition-0 lost 40 records (after 3 and before 44): ' +
        'the retention of its stream removed them before they were read',
    );
  });

  const lineOf = (more: Partial<TopologyHostStatus>): string =>
    topologyLine(hostStatus(more), 3_000);

  it('is one line, with the worst of what is wrong', () => {
    const unreadable = split(1, {
      hearing: 'unreadable',
      unheardSinceMs: 0,
      failure: 'bytes are damaged',
    });
    expect(lineOf({ job: jobStatus([split(0)]) })).toBe(
      'topology orders (orders.ts): running; lag 2; checkpoint 12, 2.0 s ago',
    );
    expect(lineOf({ job: jobStatus([split(0), unreadable]) })).toBe(
      'topology orders (orders.ts): running; lag 4; checkpoint 12, 2.0 s ago; shop/orders kinesis shard-1 cannot be read since 1970-01-01T00:00:00.000Z and holds time: bytes are damaged',
    );
    const failure = {
      checkpoint: 4,
      code: 'disk-full' as const,
      message: 'no room',
      fix: null,
      atMs: 0,
      againInMs: 300,
    };
    const checkpoints = deriveHealth(healthy, { kind: 'checkpoint-failed', failure });
    expect(lineOf({ silentSinceMs: 0, checkpoints, job: jobStatus([unreadable]) })).toMatch(
      /has not answered since 1970-01-01T00:00:00.000Z \(and 2 more: sluice status orders\)$/,
    );
    expect(lineOf({ state: 'starting', silentSinceMs: 0 })).toBe(
      'topology orders (orders.ts): starting',
    );
    expect(lineOf({ job: jobStatus([split(0)], { pausedBy: ['prices'] }) })).toMatch(
      /reading is paused by prices: holds time$/,
    );
    expect(lineOf({ state: 'failed', error: { code: 'defect', message: `two\nlines` } })).toBe(
      'topology orders (orders.ts): failed; two',
    );
    expect(
      lineOf({ state: 'failed', error: { code: 'defect', message: 'long '.repeat(1_000) } }).length,
    ).toBeLessThan(400);
  });

  it('with a split behind an open transaction says what it waits for, and not that its stream does not answer', () => {
    const waitsFor = 'a transaction of another producer has been open since 7';
    const held = split(1, { hearing: 'slow', unheardSinceMs: 0, waitsFor });
    expect(lineOf({ job: jobStatus([held]) })).toMatch(
      /shop\/orders kinesis shard-1 is held back since 1970-01-01T00:00:00.000Z and holds time: a transaction of another producer has been open since 7$/,
    );
    expect(topologyDetails(hostStatus({ job: jobStatus([held]) }), 3_000)).toContain(
      `    is held back since 1970-01-01T00:00:00.000Z: ${waitsFor}`,
    );
  });

  it('says of a look-up how long it takes, and that the other side asks to be left alone', () => {
    const asked = {
      calls: 700,
      failed: 3,
      p50Ms: 1.25,
      p99Ms: 80.4,
      maxMs: 5_000,
      waiting: 4,
      pausedUntil: 9_000,
    };
    const node = { ...noCounts(), id: 'prices', kind: 'lookup', asked };
    expect(
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { nodes: [node] }) }), 3_000),
    ).toContain(
      '    700 calls, 3 failed, half of the last ones took at most 1.3 ms, 99 in 100 80 ms, all 5000 ms; 4 wait to be tried again; ' +
        'the other side asks to be left alone until 1970-01-01T00:00:09.000Z',
    );
  });

  it('whose sink is late says so, since when, and why', () => {
    const node = {
      ...noCounts(),
      id: 'journey',
      kind: 'sink',
      lateSince: 0,
      failure: 'Neo4j is busy',
    };
    const text =
      'what it took since 1970-01-01T00:00:00.000Z is staged and not visible yet; the commit fails and is tried again: Neo4j is busy';
    expect(lineOf({ job: jobStatus([split(0)], { nodes: [node] }) })).toContain(`journey: ${text}`);
    expect(
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { nodes: [node] }) }), 3_000),
    ).toContain(`    ${text}`);
  });

  it('that went on without an element says so, and among its details which', () => {
    const aside = {
      split: 'in kinesis shard-0',
      place: '7',
      operator: 'once',
      message: 'no\nstack',
      atMs: 0,
    };
    const without = jobStatus([split(0)], {
      setAside: [aside, { ...aside, split: null, place: null }],
    });
    expect(lineOf({ job: without })).toContain('; 2 set aside');
    expect(topologyDetails(hostStatus({ job: without }), 3_000)).toContain(
      "  set aside at 1970-01-01T00:00:00.000Z: the element at in kinesis shard-0 7, by 'once': no",
    );
  });

  it('tells what its state takes, and what its last checkpoint cost', () => {
    const state = {
      entries: 1_200,
      fileBytes: 3_670_016,
      runs: 1,
      changedBytes: 10,
      writtenEntries: 7,
      writtenBytes: 1_048_576,
      stallMs: 3.21,
      restoreMs: null,
      damage: null,
      restingRecords: 0,
      restingBytes: 0,
      folder: null,
    };
    expect(topologyDetails(hostStatus({ job: jobStatus([split(0)], { state }) }), 3_000)).toContain(
      '  state: 1200 entries, 3.5 MiB in 1 run; the last checkpoint wrote 1.0 MiB and kept events waiting 3.2 ms at most',
    );
    const shown = (parallelism: number): readonly string[] =>
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { parallelism }) }), 3_000);
    expect(shown(2)).toContain('  its keys are divided over 2 threads');
    expect(shown(1).join('\n')).not.toContain('threads');
    const damaged = { ...state, damage: 'a.run is damaged' };
    expect(
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { state: damaged }) }), 3_000),
    ).toContain('  the state is damaged: a.run is damaged');
    const restored = { ...state, runs: 2, restoreMs: 2_500 };
    expect(
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { state: restored }) }), 3_000),
    ).toContain(
      '  state: 1200 entries, 3.5 MiB in 2 runs; the last checkpoint wrote 1.0 MiB and kept events waiting 3.2 ms at most; restored in 2.5 s',
    );
    const resting = { ...state, restingRecords: 900, restingBytes: 2_097_152 };
    const tells = (folder: string | null): string =>
      topologyDetails(
        hostStatus({ job: jobStatus([split(0)], { state: { ...resting, folder } }) }),
        3_000,
      ).join('\n');
    expect(tells(null)).toContain(' at most; 900 at rest take 2.0 MiB in memory');
    expect(tells('/data/state')).toContain('; 900 at rest take 2.0 MiB on disk in /data/state');
    const none = { ...state, entries: 0, runs: 0 };
    expect(
      topologyDetails(hostStatus({ job: jobStatus([split(0)], { state: none }) }), 3_000).join(
        '\n',
      ),
    ).not.toContain('state:');
  });

  it('that another instance runs now says so, and no fault beside it', () => {
    const error = {
      code: 'fenced' as const,
      message: "attempt 3 of 'orders' was taken over by attempt 4",
    };
    expect(lineOf({ state: 'taken-over', error, job: null })).toBe(
      'topology orders (orders.ts): taken over by another instance, which runs it now',
    );
  });

  it('with very many splits is told in bounds, those first that hold time', () => {
    const splits = [
      ...Array.from({ length: 999 }, (_, n) => split(n)),
      split(5_000, { hearing: 'unreadable' }),
    ];
    const told = topologyDetails(
      hostStatus({
        job: jobStatus(splits, {
          totals: { splits: 9_000, lag: 5, behindMs: null, unheard: 1, idle: 0 },
        }),
      }),
      3_000,
    );
    expect(told.length).toBeLessThan(70);
    expect(told.findIndex((line) => line.includes('shard-5000'))).toBeLessThan(4);
    expect(told.join('\n')).toContain('and 8950 more splits');
  });
});
