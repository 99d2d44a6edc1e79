/**
 * The short form of `npm run drill:streams`: some scenarios on real servers, each in a fraction of
 * its time.
 */
import { describe, expect, it } from 'vitest';
import { runScript } from '../../repo/support.ts';
import { cloudMissing } from '../../servers/cloud.ts';
import { scenariosOn, shortNames } from './scenarios.ts';

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

/** What may happen, and the scenarios that play it. */
const rows: Readonly<Record<string, readonly string[]>> = {
  'a topic that is another one': ['topic-created-again'],
  codecs: ['compressed'],
  'transactions of others': ['transactions'],
  'batches that are too large': ['limit-lowered'],
  'the order of a key': ['produces-fail'],
  'brokers that are gone, and faults that do not pass': [
    'broker-killed',
    'broker-gone',
    'writing-denied',
  ],
  'replicas that are missing, brokers that are rolled': ['replicas-missing', 'brokers-rolled'],
  Kinesis: ['puts-refused', 'resharding', 'reads-throttled', 'fan-out', 'kinesis-down'],
  'records that are lost': ['records-deleted'],
  'a run without its checkpoints': ['checkpoints-gone'],
  'S3 and Firehose': [
    's3-slow-and-failing',
    's3-asks-to-slow-down',
    'firehose-throttled',
    'upload-endless',
  ],
  Neo4j: ['neo4j-killed', 'neo4j-deadlocks', 'neo4j-locked'],
  'rejected rows, identities and names of rows': [
    'rejected-grows',
    'row-ids',
    'partition-values',
    'partitions-many',
    'late-panes',
  ],
  'look-ups': ['look-up-busy'],
  spools: ['spooled-and-refused', 'kinesis-down'],
  'credentials and processes': ['tokens-expire', 'credentials-changed', 'enrich-killed'],
};

it('has a scenario for whatever may happen, and none twice', () => {
  const names = scenariosOn(() => Promise.reject(new Error('nothing is played here'))).map(
    ({ name }) => name,
  );
  expect([...names].sort()).toEqual([...new Set(Object.values(rows).flat())].sort());
  expect(shortNames.filter((name) => !names.includes(name))).toEqual([]);
});

describe.skipIf(cloudMissing() !== undefined)('the drill of the streams', () => {
  it('loses nothing and has nothing twice, whatever fails', { timeout: 1_200_000 }, async () => {
    const said = await runScript('drill/streams/run.js', '--short', '--json');
    const lines = said
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Line);
    expect(lines.filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(lines.map(({ name }) => name).sort()).toEqual([...shortNames].sort());
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
