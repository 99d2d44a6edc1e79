/**
 * What is told of a topology: in the log, to whoever asks whether it is ready, in the metrics.
 */
import { expect, it } from 'vitest';
import { joinMetrics, topologyMetrics } from '../../../deploy/host/topology-metrics.ts';
import { newsLine } from '../../../deploy/host/topology-news.ts';
import { topologiesNotReady } from '../../../deploy/host/topology-readiness.ts';
import type { CheckpointHealth, CheckpointNews } from '../../../topology/checkpoint/health.ts';
import {
  checkpointAlarmFailures,
  deriveHealth,
  healthy,
} from '../../../topology/checkpoint/health.ts';
import type { NodeStatus } from '../../../topology/index.ts';
import { lossText } from '../../../topology/index.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import type { TimeStatus } from '../../../topology/runtime/status.ts';
import { hostStatus, jobStatus } from './host-status.ts';

const failed: CheckpointNews = {
  kind: 'checkpoint-failed',
  failure: {
    checkpoint: 7,
    code: 'disk-full',
    message: 'no room',
    fix: 'free some space',
    atMs: 60_000,
    againInMs: 1_500,
  },
};
const completed: CheckpointNews = { kind: 'checkpoint-completed', checkpoint: 7 };

/** The lines of news, one after the other. */
function linesOf(news: readonly CheckpointNews[]): readonly string[] {
  let health: CheckpointHealth = healthy;
  return news.flatMap((each) => {
    const before = health;
    health = deriveHealth(before, each);
    return newsLine(each, before, health) ?? [];
  });
}

const alarmed = Array.from({ length: checkpointAlarmFailures }).reduce<CheckpointHealth>(
  (health) => deriveHealth(health, failed),
  healthy,
);

it('the log has each checkpoint that fails at once, loudly from the third on, and the one that ends the row', () => {
  const lines = linesOf([failed, failed, failed, completed, completed]);
  expect(lines).toHaveLength(4);
  expect(lines[0]).toBe('checkpoint 7 failed: no room; tried again in 1.5 s\n  free some space');
  expect(lines[2]).toContain('ALARM: 3 checkpoints failed in a row since 1970-01-01T00:01:00.000Z');
  expect(lines[3]).toBe('checkpoint 7 is complete, after 3 that failed');
});

it('the log has that a file of the state is damaged, loudly, with what to do', () => {
  const news = { kind: 'state-damaged', message: 'a.run is damaged', fix: null } as const;
  expect(newsLine(news, healthy, healthy)).toBe(
    'ALARM: a file of the state is damaged, without which no restart is possible: a.run is damaged',
  );
  expect(newsLine({ ...news, fix: 'look at it' }, healthy, healthy)).toMatch(/\n {2}look at it$/);
});

it('the log is not filled by a row of failures that goes on for hours', () => {
  const lines = linesOf(Array.from({ length: 1_000 }, () => failed));
  expect(lines.length).toBeGreaterThan(50);
  expect(lines.length).toBeLessThan(120);
});

it('an alarm, a thread that does not answer and a topology that does not run are not ready; one failure is', () => {
  expect(topologiesNotReady([hostStatus({}), hostStatus({ state: 'draining' })])).toBeUndefined();
  expect(
    topologiesNotReady([hostStatus({ checkpoints: deriveHealth(healthy, failed) })]),
  ).toBeUndefined();
  expect(topologiesNotReady([hostStatus({}), hostStatus({ checkpoints: alarmed })])).toMatch(
    /^1 of 2 topologies cannot complete a checkpoint/,
  );
  expect(topologiesNotReady([hostStatus({ silentSinceMs: 1 })])).toMatch(
    /^1 of 1 topologies do not answer/,
  );
  expect(
    topologiesNotReady([hostStatus({ state: 'taken-over' }), hostStatus({ state: 'failed' })]),
  ).toMatch(/^2 of 2 topologies do not run/);
});

it('the metrics count failed checkpoints, those in a row, and the alarm', async () => {
  const { text } = joinMetrics(
    { contentType: 'text/plain', text: 'other 1\n' },
    await topologyMetrics([hostStatus({ checkpoints: alarmed, silentSinceMs: 1_000 })], 3_500),
  );
  for (const line of [
    'other 1',
    'sluice_checkpoint_failures_total{topology="orders"} 3',
    'sluice_checkpoint_failures_in_a_row{topology="orders"} 3',
    'sluice_checkpoint_alarm{topology="orders"} 1',
    'sluice_topology_silent_seconds{topology="orders"} 2.5',
  ]) {
    expect(text.split('\n')).toContain(line);
  }
});

it('the metrics tell what the state takes, and what its last checkpoint and its restore took', async () => {
  const state = {
    entries: 1_200,
    fileBytes: 3_000,
    runs: 2,
    changedBytes: 10,
    writtenEntries: 7,
    writtenBytes: 400,
    stallMs: 3.5,
    restoreMs: 2_500,
    damage: null,
    restingRecords: 5,
    restingBytes: 8_192,
    folder: null,
  };
  const of = async (job: Partial<typeof state> | null): Promise<readonly string[]> => {
    const status = hostStatus({
      job: jobStatus([], { state: job === null ? null : { ...state, ...job } }),
    });
    return (await topologyMetrics([status], 3_500)).text
      .split('\n')
      .filter((line) => /^sluice_(state|checkpoint_(stall|written))_?\w*\{/.test(line));
  };
  expect(await of({})).toEqual([
    'sluice_checkpoint_stall_seconds{topology="orders"} 0.0035',
    'sluice_checkpoint_written_bytes{topology="orders"} 400',
    'sluice_state_entries{topology="orders"} 1200',
    'sluice_state_file_bytes{topology="orders"} 3000',
    'sluice_state_runs{topology="orders"} 2',
    'sluice_state_changed_bytes{topology="orders"} 10',
    'sluice_state_resting_bytes{topology="orders"} 8192',
    'sluice_state_restore_seconds{topology="orders"} 2.5',
  ]);
  expect(await of(null)).toEqual([]);
});

it('the metrics tell how far event time is behind where something waits for it, and which splits are idle', async () => {
  const window = (id: string, time: Partial<TimeStatus>): NodeStatus => ({
    ...noCounts(),
    id,
    kind: 'window',
    time: { watermark: 1_000, open: 2, next: null, heldBy: null, ...time },
  });
  const nodes = [
    window('open', {}),
    window('empty', { open: 0 }),
    window('new', { watermark: 'min' }),
  ];
  const split = { source: 's', stream: 'a/b', path: 'kafka', position: null, lag: null } as const;
  const of = { behindMs: null, eventLagMs: null, watermark: null, unheardSinceMs: null } as const;
  const splits = [true, false].map((idle, n) => ({
    ...{ ...split, ...of, split: `partition-${n}`, idle },
    hearing: 'caught-up' as const,
  }));
  const { text } = await topologyMetrics(
    [hostStatus({ job: jobStatus(splits, { nodes }) })],
    3_500,
  );
  const lines = text
    .split('\n')
    .filter((line) => /^sluice_(node_watermark|split_idle)\w*\{/.test(line));
  const labels = 'topology="orders",source="s",stream="a/b",path="kafka"';
  expect(lines).toEqual([
    'sluice_node_watermark_lag_seconds{topology="orders",node="open"} 2.5',
    `sluice_split_idle{${labels},split="partition-0"} 1`,
    `sluice_split_idle{${labels},split="partition-1"} 0`,
  ]);
});

it('what was lost is an alarm with its range', () => {
  const loss = {
    source: 's',
    stream: 'a/b',
    path: 'kafka',
    split: 'partition-0',
    kind: 'trimmed',
    after: '4',
    before: '20',
    records: 15,
  } as const;
  const lost = { ...loss, readToMs: 60_000, atMs: 90_000 };
  expect(newsLine({ kind: 'records-lost', loss: lost }, healthy, healthy)).toBe(
    'ALARM: a/b kafka partition-0 lost 15 records (after 4 and before 20, arrived after 1970-01-01T00:01:00.000Z): ' +
      'the retention of its stream removed them before they were read',
  );
  const gone = {
    ...lost,
    kind: 'gone',
    after: null,
    before: null,
    records: null,
    readToMs: null,
  } as const;
  expect(lossText(gone)).toBe(
    'a/b kafka partition-0 lost an unknown number of records, possibly none (from its beginning on): ' +
      'its stream no longer has the split, which was not read to its end',
  );
});
