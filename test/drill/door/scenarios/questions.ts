/**
 * Questions that would read and write files of the host, load extensions, change settings, never
 * end, or take all memory: to the graph of the instance over its control socket, and to its lake,
 * while events land in both and the other tenant sends.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { askControl } from '../../../../deploy/host/control-client.ts';
import { controlSocket, lakeDir } from '../../../../deploy/host/layout.ts';
import {
  askInChild,
  questionMaxMs,
  residentBytes,
} from '../../../../deploy/host/question-process.ts';
import { systemClock } from '../../../../schemas/kernel/clock.ts';
import { limits } from '../../../../schemas/limits.ts';
import { post } from '../../clients.ts';
import type { Attack, Door } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const topology = `
import { graph, graphModel, schemaOf, stream, table, topology } from 'sluice';
const model = graphModel({ nodes: { Number: { key: 'n', props: { n: 'integer' } } } });
const row = schemaOf<{ n: number }>({ $id: 'row', type: 'object', properties: { n: { type: 'integer' } } });
export default topology('numbers', { version: 1, owner: 'attacker/events' }, (t) => {
  const numbers = t.source('events', stream('attacker/events')).map((e) => ({ n: (e.data as { n: number }).n }));
  numbers.sinkTo('numbers-table', table('numbers', row));
  numbers.sinkTo('numbers-graph', graph(model, ({ n }) => [model.Number({ n })]));
});
`;
const secret = 'secret-of-the-host';
/** `~` is a blank of every kind, `@` a folder of the host. */
const cypher = [
  "LOAD~FROM '@/secret.csv' RETURN *",
  "MATCH (n:Number)~LOAD~FROM '@/secret.csv' RETURN *",
  "COPY~(MATCH (n) RETURN n.n)~TO '@/out.csv'",
  "EXPORT~DATABASE '@/out'",
  "ATTACH '@/out' AS o (dbtype~lbug)",
  'INSTALL~httpfs',
  'LOAD~EXTENSION httpfs',
  'CALL~threads = 8',
  "CALL~READ_CSV_PARALLEL('@/secret.csv') RETURN *",
];
const blanks = [' ', '\u001c', '\u180e', '\u00a0', '\u2003', '\u2028', '/**/', '//\n'];
const sql = [
  "FROM read_text('@/secret.csv')",
  "FROM '@/secret.csv', numbers",
  "COPY numbers TO '@/out.csv'",
  "EXPLAIN ANALYZE COPY (FROM numbers) TO '@/out.csv'",
  "EXPORT DATABASE '@/out'",
  "ATTACH '@/out.db'",
  "FROM glob('@/*')",
  'INSTALL httpfs',
  'SET threads = 8',
  "FROM enable_logging(storage = 'file', storage_config = {'path': '@/out'})",
];
const endless =
  'MATCH (a:Number), (b:Number), (c:Number), (d:Number), (e:Number) WHERE a.n * b.n = c.n + d.n - e.n RETURN count(*)';
const large = [
  'RETURN size(range(1, 500000000))',
  'UNWIND range(1, 100000000) AS a WITH a ORDER BY a RETURN a',
  'UNWIND range(1, 20000) AS a UNWIND range(1, 20000) AS b RETURN collect(a * b)',
];
const largeSql = [
  "SELECT list(range::VARCHAR || repeat('x', 100)) FROM range(50000000)",
  "SELECT repeat('x', 1000000) FROM range(100000)",
];

interface Asked {
  readonly status: number;
  readonly body: string;
}

const askGraph = (door: Door, statement: string): Promise<Asked> =>
  askControl(door.dir, '/_sluice/graph', { statement });
const askLake = (
  door: Door,
  text: string,
  onStart: (pid: number) => void = () => undefined,
): Promise<string> =>
  askInChild(
    { kind: 'lake', lake: lakeDir(door.dir), sql: text, maxRows: 100 },
    { clock: systemClock, onStart },
  ).then(
    (answer) => JSON.stringify(answer),
    (thrown: unknown) => `refused: ${String(thrown)}`,
  );

/** Asks, and hangs up after a while: as Ctrl-C does. */
async function hangUp(door: Door, statement: string, afterMs: number): Promise<void> {
  const asked = request({
    socketPath: controlSocket(door.dir),
    path: '/_sluice/graph',
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
  });
  asked.on('error', () => undefined);
  asked.end(JSON.stringify({ statement }));
  await sleep(afterMs);
  asked.destroy();
}

/** The processes of questions that the instance has started and that have not ended. */
function questionsOf(door: Door): readonly number[] {
  const started = readdirSync(`/proc/${door.service.pid}/task`).flatMap((thread) =>
    textOf(`/proc/${door.service.pid}/task/${thread}/children`)
      .split(' ')
      .filter(Boolean)
      .map(Number),
  );
  return started.filter((pid) => textOf(`/proc/${pid}/cmdline`).includes('question-child'));
}

/** Empty when there is none any more. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The most memory that a question's process had. */
function watchQuestions(door: Door): {
  readonly add: (pid: number) => void;
  readonly stop: () => Promise<number>;
} {
  const own = new Set<number>();
  let [peak, over] = [0, false];
  const watching = (async () => {
    for (; !over; await sleep(5)) {
      for (const pid of [...own, ...questionsOf(door)]) peak = Math.max(peak, residentBytes(pid));
    }
  })();
  return {
    add: (pid) => void own.add(pid),
    async stop() {
      over = true;
      await watching;
      return Math.round(peak / (1_024 * 1_024));
    },
  };
}

async function landed(door: Door): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const { status, body } = await askGraph(door, 'MATCH (n:Number) RETURN count(*)');
    if (
      status === 200 &&
      body.includes('[[200]]') &&
      (await askLake(door, 'SELECT count(*) FROM numbers')).includes('[[200]]')
    )
      return;
    await sleep(100);
  }
  throw new Error('the events did not land in the graph and the table');
}

export const questions: Attack = {
  name: 'questions',
  what: 'questions that reach for files, extensions and settings, never end, or take all memory',
  async run(scale) {
    const host = mkdtempSync(join(tmpdir(), 'sluice-host-'));
    writeFileSync(join(host, 'secret.csv'), `a,b\n1,${secret}\n`);
    writeFileSync(join(host, 'numbers.ts'), topology);
    const door = await openDoor({
      more: `topologies: [${host}/numbers.ts]\nlocal: {checkpoint_ms: 100, parquet_file_age_ms: 0}`,
    });
    try {
      const agent = new Agent();
      const authorization = { authorization: `Bearer ${door.attackerKey}` };
      await post(
        `${door.url}/v1/attacker/events`,
        JSON.stringify(Array.from({ length: 200 }, (_, n) => ({ n }))),
        authorization,
        agent,
      );
      agent.destroy();
      await landed(door);
      const before = readdirSync(host).sort().join();
      const other = otherTenant(door);
      const watch = watchQuestions(door);

      const gaps = blanks.slice(0, Math.max(3, Math.round(blanks.length * scale)));
      const reaching = cypher.flatMap((text) =>
        gaps.map((gap) => text.replaceAll('~', gap).replaceAll('@', host)),
      );
      const answered: string[] = [];
      for (const statement of reaching)
        if ((await askGraph(door, statement)).status === 200) answered.push(statement);
      const reachingSql = scale < 1 ? sql.slice(0, 4) : sql;
      for (const text of reachingSql) {
        const said = await askLake(door, text.replaceAll('@', host));
        if (!said.startsWith('refused') || said.includes(secret)) answered.push(text);
      }

      const ended: string[] = [];
      const [bombs, sqlBombs] = scale < 1 ? [large.slice(1, 2), []] : [large, largeSql];
      for (const statement of bombs) ended.push((await askGraph(door, statement)).body);
      for (const text of sqlBombs) ended.push(await askLake(door, text, watch.add));
      const inTime =
        scale < 1 ? [] : await Promise.all([askGraph(door, endless), askGraph(door, endless)]);
      await Promise.all([hangUp(door, endless, 700), hangUp(door, endless, 700)]);
      let left = questionsOf(door).length;
      for (let tries = 0; left > 0 && tries < 100; tries++, left = questionsOf(door).length)
        await sleep(20);
      const still = await askGraph(door, 'MATCH (n:Number) RETURN count(*)');
      const questionPeakMb = await watch.stop();
      const { sent, errors, p99Ms } = await other.stop();
      const { peakMb } = door.memory();
      return {
        tally: {
          reached: reaching.length + reachingSql.length,
          ended: ended.length + inTime.length + 2,
          answered: answered.length,
          questionPeakMb,
          peakMb,
          sent,
          errors,
          p99Ms,
        },
        checks: [
          [
            'no question that reaches beyond is answered',
            reaching.length > 0 && answered.length === 0,
          ],
          [
            'no file of the host is read or made',
            readdirSync(host).sort().join() === before && !existsSync(join(host, 'out.csv')),
          ],
          [
            'what takes too much memory is ended, and told',
            ended.length > 0 &&
              ended.every((body) => body.includes('more memory than a question gets')),
          ],
          [
            'what takes too long is ended, and told',
            inTime.every(({ body }) => body.includes(`more than ${questionMaxMs / 1_000} s`)),
          ],
          ['what nobody waits for is ended', left === 0],
          [
            'a question never has twice its memory',
            questionPeakMb < (2 * limits.questionMemoryMaxBytes) / (1_024 * 1_024),
          ],
          [
            'the instance answers on, and has not grown',
            still.body.includes('[[200]]') && peakMb < 600,
          ],
          ['the other tenant has no error', sent > 0 && errors === 0],
        ],
      };
    } finally {
      await door.close();
      rmSync(host, { recursive: true, force: true });
    }
  },
};
