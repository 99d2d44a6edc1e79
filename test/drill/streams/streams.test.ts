/**
 * The short form of `npm run drill:streams`: every scenario on real servers, each in a fraction of
 * its time.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../../repo/support.ts';
import { cloudMissing } from '../../servers/cloud.ts';
import { scenariosOn } from './scenarios.ts';

interface Line {
  readonly name: string;
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly stuck: number;
  readonly checks?: readonly { readonly check: string; readonly ok: boolean }[];
  readonly failed?: string;
}

describe.skipIf(cloudMissing() !== undefined)('the drill of the streams', () => {
  it('loses nothing and has nothing twice, whatever fails', { timeout: 1_200_000 }, async () => {
    const said = await runScript('drill/streams/run.js', '--short', '--json');
    const lines = said
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
    expect(lines.filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(lines.map(({ name }) => name)).toEqual([
      'broker-killed',
      'topic-created-again',
      'transactions',
      'compressed',
      'records-deleted',
      'limit-lowered',
      'puts-refused',
      'resharding',
      'reads-throttled',
      'kinesis-down',
      'neo4j-killed',
      'neo4j-deadlocks',
      's3-slow-and-failing',
      's3-asks-to-slow-down',
      'firehose-throttled',
      'neo4j-locked',
      'checkpoints-gone',
      'tokens-expire',
      'credentials-changed',
      'enrich-killed',
    ]);
    for (const { name, sent, acknowledged, refused, lost, duplicated, stuck, checks } of lines) {
      expect({ name, answered: acknowledged + refused, lost, duplicated, stuck }).toEqual({
        name,
        answered: sent,
        lost: 0,
        duplicated: 0,
        stuck: 0,
      });
      expect(sent, name).toBeGreaterThan(100);
      expect(
        checks?.filter(({ ok }) => !ok),
        name,
      ).toEqual([]);
    }
    expect(said).toMatch(/exit 0$/);
  });
});

it('the long form has rows that the short one leaves out', () => {
  const all = scenariosOn(() => Promise.reject(new Error('none of them runs')));
  expect(all.filter(({ short }) => short === false).map(({ name }) => name)).toEqual([
    'fan-out',
    'rejected-grows',
    'row-ids',
    'partition-values',
    'partitions-many',
    'late-panes',
    'upload-endless',
    'look-up-busy',
  ]);
});
