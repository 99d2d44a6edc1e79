/**
 * `sluice topology check --for flink` on a topology with each thing that cannot run there or may
 * differ: all of it at once, each with its node, its line and what to do; and on one without any.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sluice } from '../support.ts';

const dir = mkdtempSync(join(tmpdir(), 'sluice-for-flink-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const write = (name: string, text: string): void => writeFileSync(join(dir, name), text);

interface Told {
  readonly kind: string;
  readonly node: string | null;
  readonly file: string;
  readonly line: number | null;
  readonly message: string;
  readonly fix: string;
}

interface Answer {
  readonly ok: boolean;
  readonly problems: readonly Told[];
  readonly warnings: readonly Told[];
}

async function checked(...options: readonly string[]): Promise<Answer & { code: number | null }> {
  const { code, out, err } = await sluice(
    ['--json', 'topology', 'check', 'topology.ts', ...options],
    dir,
  );
  expect(err).not.toContain('defect');
  return { code, ...(JSON.parse(out) as Answer) };
}

const short = (told: readonly Told[]): readonly string[] =>
  told
    .filter(({ kind }) => kind === 'flink')
    .map(({ file, line, node, message }) => `${file}:${line} ${node ?? '-'}: ${message}`);

/** Declared away, so that its types hold: what runs there is what counts. */
const head = `import { asyncLookup, connector, count, graph, graphModel, rejected, schemaOf, stream, table, topology, tumbling, value } from 'sluice';
import { label, pid } from './parts.ts';
declare const process: { pid: number }; export const spare = (x: number): number => Math.cbrt(x);
interface Row { n: number }
const row = schemaOf<Row>({ $id: 'row', type: 'object', properties: { n: { type: 'integer' }, s: { type: 'string', pattern: '^\\\\p{L}+$' } } });
const shop = graphModel({ nodes: { User: { key: 'id', props: { id: 'string' } } } });
`;

describe('topology check --for flink', { timeout: 60_000 }, () => {
  it('tells everything that cannot run there, and everything that may differ', async () => {
    write(
      'sluice.yaml',
      'streams:\n  - {team: a, app: b}\nlookups: {stock: {url: "http://127.0.0.1:9/{key}"}}\n',
    );
    write(
      'parts.ts',
      `declare const Buffer: { from(text: string): { length: number } };
export const label = (n: number): string => new Intl.NumberFormat('en').format(n);
export const pid = (text: string): number => Buffer.from(text).length;
`,
    );
    write(
      'topology.ts',
      `${head}export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  const events = t.source('events', stream('a/b'))
    .validate('valid', row)
    .eventTime('time', (e) => e.receivedtime, { outOfOrderness: 0 })
    .deduplicate('once', { by: (e) => e.id, within: '1h' })
    .map((e) => ({ ...e.data, id: e.id, angle: Math.sin(e.data.n) }));
  events.map((e) => ({ n: e.n, text: label(e.n), size: pid(e.id) }))
    .sinkTo('rows', table('rows', row));
  events.map(async (e) => e.n).sinkTo('promises', rejected());
  events.map((e) => ({ at: new Date(e.n), seen: [new Set([e.n])] }) as never)
    .sinkTo('dates', rejected());
  events.filter((e) => (e.id as any).isWellFormed() && e.n === process.pid).sinkTo('newer', rejected());
  events.lookup('own', asyncLookup(async (n: number) => (await fetch('http://127.0.0.1:9/' + n)).status), { by: (e) => e.n }, (e) => e)
    .sinkTo('asked', graph(shop, (e) => [shop.User({ id: e.id.normalize() })]));
  events.lookup('bound', connector<Row>('stock'), { by: (e) => e.n }, (e) => e).sinkTo('found', rejected());
  events.keyBy((e) => e.id.toLocaleLowerCase()).process('nth', {
    state: { seen: value<number>() },
    onElement: (e, { state }) => {
      state.seen.set(e.n);
      try {
        return [{ n: e.n, ids: [e.id].sort((a, b) => (a > b) as never) }];
      } catch (thrown) {
        return [{ n: 0, ids: [(thrown as Error).message] }];
      }
    },
  }).map((e) => ({ n: e.n + Date.now() * Math.random(), day: new Date(e.n).getDay() + \`\${new Date(e.n)}\` }))
    .sinkTo('processed', rejected());
  events.keyBy((e) => e.n ** 3).window('minutes', tumbling('1m')).aggregate({ n: count() }).out.sinkTo('counts', rejected());
});
`,
    );
    const { code, ok, problems, warnings } = await checked('--for', 'flink');
    expect([code, ok]).toEqual([1, false]);
    expect(short(problems)).toEqual([
      expect.stringMatching(
        /^topology\.ts:19 own: asyncLookup\(\) cannot run on Flink: its function has nothing to ask there/,
      ),
      expect.stringMatching(/^topology\.ts:15 once\/map\/map~2: its function is asynchronous/),
      expect.stringMatching(/^parts\.ts:3 once\/map\/map: Buffer is not part of JavaScript/),
      expect.stringMatching(
        /^topology\.ts:18 once\/map\/filter: \.isWellFormed\(\) is newer than ES2022/,
      ),
      expect.stringMatching(
        /^topology\.ts:18 once\/map\/filter: process is not part of JavaScript/,
      ),
    ]);
    const told = short(warnings);
    for (const expected of [
      /^topology\.ts:11 once: the first of equal elements to arrive is kept, and the order of arrival differs/,
      /^topology\.ts:22 nth: its function sees the elements of a key as they arrive/,
      /^topology\.ts:12 once\/map: the last digit of Math\.sin/,
      /^parts\.ts:2 \S+: the texts of Intl\.NumberFormat/,
      /^topology\.ts:3 -: the last digit of Math\.cbrt/,
      /^topology\.ts:16 \S+: it gives a Date, which is not JSON/,
      /^topology\.ts:16 \S+: it gives a Set, which is not JSON/,
      /^topology\.ts:22 nth: \.toLocaleLowerCase\(\) follows the default locale/,
      /^topology\.ts:27 nth: the comparator of \.sort\(\) does not say/,
      /^topology\.ts:29 nth: thrown\.message is the engine's own text/,
      /^topology\.ts:32 nth\/map: Date\.now\(\) is the time of the machine/,
      /^topology\.ts:32 nth\/map: Math\.random differs with each run/,
      /^topology\.ts:32 nth\/map: \.getDay\(\) depends on the time zone/,
      /^topology\.ts:32 nth\/map: the text of a Date names the time zone/,
      /^topology\.ts:34 minutes: the last digit of \*\* differs/,
    ])
      expect(told).toContainEqual(expect.stringMatching(expected));
    expect(told.length).toBe(15);
    for (const { fix } of [...problems, ...warnings]) expect(fix).not.toBe('');
    // What a function does that is refused as a whole is not told again.
    expect(JSON.stringify([problems, warnings])).not.toContain('fetch');
    // Here all of it runs.
    const here = await checked();
    expect(short(here.problems)).toEqual([]);
  });

  it('finds nothing wrong with one that runs there', async () => {
    write('sluice.yaml', 'streams:\n  - {team: a, app: b}\n');
    write(
      'topology.ts',
      `import { rejected, stream, topology } from 'sluice';
export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b')).map((e) => ({ id: e.id, at: new Date(e.receivedtime).toISOString() })).sinkTo('out', rejected());
});
`,
    );
    const { code, out } = await sluice(['topology', 'check', 'topology.ts', '--for', 'flink'], dir);
    expect([code, out.split('\n')]).toEqual([
      0,
      ["topology.ts: topology 'x' can run on Flink, 3 nodes", ''],
    ]);
  });

  it('finds one that is another one each time that it is evaluated', async () => {
    write(
      'topology.ts',
      `import { rejected, stream, topology } from 'sluice';
export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events' + Math.random(), stream('a/b')).sinkTo('out', rejected());
});
`,
    );
    expect((await checked('--for', 'flink')).problems).toEqual([
      expect.objectContaining({
        ...{ kind: 'flink', node: null },
        message: expect.stringMatching(/makes another plan each time/) as string,
      }),
    ]);
  });

  it('ends with a sentence where the topology never ends to be evaluated again', async () => {
    write(
      'topology.ts',
      `import { rejected, stream, topology } from 'sluice';
declare const process: { send?: unknown; argv: string[]; kill(pid: number, signal: string): void; pid: number };
// The first trial is told from the second one by its arguments.
if (typeof process !== 'undefined' && process.argv.length > 2 && process.argv[1]?.includes('evaluate')) process.kill(process.pid, 'SIGKILL');
export default topology('x', { version: 1, owner: 'a/b' }, (t) => {
  t.source('events', stream('a/b')).sinkTo('out', rejected());
});
`,
    );
    const { code, problems } = await checked('--for', 'flink');
    expect([code, problems]).toEqual([
      1,
      [
        expect.objectContaining({
          kind: 'flink',
          message: expect.stringMatching(
            /ended the process that evaluated it \(SIGKILL\)$/,
          ) as string,
        }),
      ],
    ]);
  });

  it('is told a target that there is not', async () => {
    const { code, err } = await sluice(['topology', 'check', 'topology.ts', '--for', 'spark'], dir);
    expect([code, err]).toEqual([1, "sluice: invalid --for 'spark': expected flink\n"]);
  });
});
