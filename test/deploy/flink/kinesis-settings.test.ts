/**
 * The settings of a Kinesis source: what fits, what is wrong with others, and that its page names
 * each of them.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kinesis } from '../../../deploy/flink/connectors/kinesis.ts';
import { connectorProblems } from '../../../deploy/flink/connectors/problems.ts';
import { root } from '../../repo/support.ts';

const problems = (more: Readonly<Record<string, unknown>>): readonly string[] =>
  connectorProblems('sources.clicks', 'source', { connector: 'kinesis', stream: 's', ...more });

describe('settings of a Kinesis source', () => {
  it.each<unknown>([
    undefined,
    'earliest',
    'latest',
    '2026-01-31T08:00:00Z',
    '2026-01-31T08:00:00+02:00',
    {
      positions: {
        'shardId-000000000000': '49590338271490256608559692538361571095921575989136588898',
      },
    },
  ])('begin at %j', (from) => {
    expect(problems(from === undefined ? {} : { from })).toEqual([]);
  });

  it.each<unknown>([
    'oldest',
    '2026-01-31',
    3,
    {},
    { positions: {} },
    { positions: { shard: 5 } },
    { positions: { shard: '-1' } },
    { positions: { shard: '1' }, more: 1 },
  ])('do not begin at %j', (from) => {
    expect(problems({ from })).toEqual([
      expect.stringMatching(
        /^sources\.clicks\.from: expected earliest, latest, a time such as .*, got /,
      ),
    ]);
  });

  it('are refused where the stream is missing, or a number is beyond what there is', () => {
    expect(problems({ stream: '', readMaxRecords: 10_001, readEveryMs: 100 })).toEqual([
      'sources.clicks.stream: expected the name of the Kinesis stream, got ""',
      'sources.clicks.readMaxRecords: expected a whole number from 1 to 10000 (records of one call; default 10000), got 10001',
      'sources.clicks.readEveryMs: expected a whole number from 200 (between two calls of a shard; default 250), got 100',
    ]);
  });

  it('are all on their page, whose example fits', () => {
    const page = readFileSync(join(root, 'docs/operating/flink.md'), 'utf8');
    const [, section = ''] = /^## Kinesis\n(.*?)^## /ms.exec(page) ?? [];
    const named = [...section.matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(named).toEqual(Object.keys(kinesis.roles.source ?? {}));
    const [, json = ''] = /^```json\n(.*?)^```$/ms.exec(section) ?? [];
    expect(connectorProblems('sources.clicks', 'source', JSON.parse(json))).toEqual([]);
  });
});
