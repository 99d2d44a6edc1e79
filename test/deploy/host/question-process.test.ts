/**
 * Questions in processes of their own: answered, or ended in time, memory and output, while whoever
 * asked goes on.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Question } from '../../../deploy/host/question.ts';
import {
  askInChild,
  boundedCommand,
  questionMaxMs,
  questionReservedBytes,
  residentBytes,
} from '../../../deploy/host/question-process.ts';
import { openLadybug } from '../../../enrich/graph/ladybug/ladybug-database.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { limits } from '../../../schemas/limits.ts';
import { temporaryFolders } from '../../enrich/support.ts';
import { saying } from '../../said.ts';
import { until } from '../support.ts';

const newFolder = temporaryFolders('process');
const mebi = 1_024 * 1_024;
let file = '';
let lake = '';

beforeAll(async () => {
  const folder = newFolder();
  mkdirSync(folder, { recursive: true });
  lake = join(folder, 'lake');
  file = join(folder, 'graph');
  const graph = await openLadybug(file);
  await graph.session.define('CREATE NODE TABLE T(k INT64, PRIMARY KEY(k))');
  const rows = Array.from({ length: 20_000 }, (_, k) => ({ k }));
  await graph.session.transaction((run) => run('UNWIND $rows AS row CREATE (:T {k: row.k})', rows));
  await graph.close();
});

const cypher = (statement: string): Question => ({ kind: 'graph', file, statement });
const sql = (text: string): Question => ({ kind: 'lake', lake, sql: text, maxRows: 100 });
const endless = (): Question =>
  cypher('MATCH (a:T), (b:T), (c:T), (d:T) WHERE a.k * b.k = c.k + d.k RETURN count(*)');

/** Time runs out at once where a question has its whole time, and as it does elsewhere. */
const hurried: Clock = {
  ...systemClock,
  setTimer: (delayMs, fire) =>
    systemClock.setTimer(delayMs === questionMaxMs ? 500 : delayMs, fire),
};

/** A machine that is busy is given time. */
const patient: Clock = {
  ...systemClock,
  setTimer: (delayMs, fire) =>
    systemClock.setTimer(delayMs === questionMaxMs ? 10 * delayMs : delayMs, fire),
};

const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('a question in a process', () => {
  it('is answered like in this one', async () => {
    expect(
      await askInChild(cypher('MATCH (t:T) WHERE t.k < 2 RETURN t.k AS k ORDER BY k'), {
        clock: systemClock,
      }),
    ).toEqual({
      columns: [{ name: 'k', type: 'INT64' }],
      rows: [[0], [1]],
      cut: false,
    });
    expect(await askInChild(sql('SELECT 1 AS n'), { clock: systemClock })).toMatchObject({
      rows: [[1]],
      cut: false,
    });
    expect(await askInChild(sql('FROM range(1000)'), { clock: systemClock })).toMatchObject({
      cut: 'rows',
    });
  });

  it('finds what is only in the log of a graph whose owner was killed', async () => {
    const [folder, left] = [newFolder(), newFolder()];
    for (const made of [folder, left]) mkdirSync(made, { recursive: true });
    const graph = await openLadybug(join(folder, 'graph'));
    await graph.session.define('CREATE NODE TABLE T(k INT64, PRIMARY KEY(k))');
    await graph.session.transaction((run) =>
      run('UNWIND $rows AS row CREATE (:T {k: row.k})', [{ k: 7 }]),
    );
    for (const name of ['graph', 'graph.wal']) copyFileSync(join(folder, name), join(left, name));
    await graph.close();
    const question: Question = {
      kind: 'graph',
      file: join(left, 'graph'),
      statement: 'MATCH (t:T) RETURN t.k',
    };
    expect((await askInChild(question, { clock: systemClock })).rows).toEqual([[7]]);
    expect(readdirSync(left).sort()).toEqual(['graph', 'graph.wal']);
  });

  it('is told what the database says of it', async () => {
    await expect(
      askInChild(cypher('MATCH (n:Nope) RETURN n'), { clock: systemClock }),
    ).rejects.toMatchObject({
      code: 'query-failed',
      message: expect.stringContaining('Nope') as string,
      fix: expect.stringContaining('SHOW_TABLES') as string,
    });
    await expect(
      askInChild(cypher("LOAD FROM '/etc/passwd' RETURN *"), { clock: systemClock }),
    ).rejects.toMatchObject({
      code: 'query-failed',
    });
    await expect(
      askInChild(sql("FROM read_text('/etc/passwd')"), { clock: systemClock }),
    ).rejects.toMatchObject({ code: 'query-failed' });
  });

  it.each([
    ['Cypher', endless],
    [
      'SQL',
      () =>
        sql(
          'WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r',
        ),
    ],
  ])('in %s is ended when its time is over, and says so', async (_, question) => {
    let pid = 0;
    const options = { clock: hurried, onStart: (started: number) => (pid = started) };
    await expect(askInChild(question(), options)).rejects.toMatchObject({
      code: 'query-failed',
      message: saying({ numbers: [questionMaxMs / 1_000] }),
      details: { ending: 'time', signal: null },
    });
    expect(pid).toBeGreaterThan(0);
    expect(isAlive(pid)).toBe(false);
  });

  it.each([
    [
      'Cypher that sorts',
      () => cypher('UNWIND range(1, 100000000) AS a WITH a ORDER BY a RETURN a'),
    ],
    [
      'Cypher with a long list, which is made before it runs',
      () => cypher('RETURN size(range(1, 500000000))'),
    ],
    [
      'Cypher that collects',
      () => cypher('UNWIND range(1, 20000) AS a UNWIND range(1, 20000) AS b RETURN collect(a * b)'),
    ],
    ['SQL with long texts', () => sql("SELECT repeat(repeat('x', 1000000), 1000) FROM range(10)")],
    [
      'SQL that collects',
      () => sql("SELECT list(range::VARCHAR || repeat('x', 100)) FROM range(50000000)"),
    ],
  ])('%s is ended within its memory, and says so', async (_, question) => {
    let peak = 0;
    let over = false;
    let watching: Promise<void> = Promise.resolve();
    const onStart = (pid: number): void => {
      watching = (async () => {
        for (; !over; await sleep(2)) peak = Math.max(peak, residentBytes(pid));
      })();
    };
    await expect(askInChild(question(), { clock: patient, onStart })).rejects.toMatchObject({
      code: 'query-failed',
      message: saying({ numbers: [limits.questionMemoryMaxBytes / mebi] }),
      details: { ending: 'memory', signal: null },
    });
    over = true;
    await watching;
    expect(peak).toBeGreaterThan(0);
    // What it takes between two looks, on a machine that is busy.
    expect(peak).toBeLessThan(2 * limits.questionMemoryMaxBytes);
  });

  it('is ended when the asker goes away', async () => {
    const asker = new AbortController();
    let pid = 0;
    const asked = askInChild(endless(), {
      clock: systemClock,
      signal: asker.signal,
      onStart: (started) => (pid = started),
    });
    await until(() => residentBytes(pid) > 10 * mebi);
    asker.abort();
    await expect(asked).rejects.toMatchObject({
      code: 'query-failed',
      details: { ending: 'gone', signal: null },
    });
    expect(isAlive(pid)).toBe(false);
    await expect(
      askInChild(endless(), { clock: systemClock, signal: asker.signal }),
    ).rejects.toMatchObject({ code: 'query-failed' });
  });

  it('that ends its process is one sentence', async () => {
    let pid = 0;
    const asked = askInChild(endless(), {
      clock: systemClock,
      onStart: (started) => (pid = started),
    });
    await until(() => residentBytes(pid) > 10 * mebi);
    process.kill(pid, 'SIGSEGV');
    await expect(asked).rejects.toMatchObject({
      code: 'query-failed',
      details: { ending: 'process', signal: 'SIGSEGV' },
    });
  });

  it('has no environment, an empty folder that is gone afterwards, and the least priority to its memory', async () => {
    const asker = new AbortController();
    let pid = 0;
    process.env['SLUICE_SECRET_OF_THE_TEST'] = 'x';
    const asked = askInChild(endless(), {
      clock: systemClock,
      signal: asker.signal,
      onStart: (started) => (pid = started),
    });
    await until(() => residentBytes(pid) > 10 * mebi);
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    expect(
      environment.filter(
        (name) =>
          !['', 'PWD', 'OLDPWD', 'MALLOC_ARENA_MAX', 'OPENSSL_CONF', 'LD_LIBRARY_PATH'].includes(
            name ?? '',
          ),
      ),
    ).toEqual([]);
    expect(readdirSync(`/proc/${pid}/cwd`)).toEqual([]);
    expect(getPriority(pid)).toBeGreaterThan(getPriority());
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('1000');
    expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/Max file size +0 +0/);
    asker.abort();
    await expect(asked).rejects.toMatchObject({ code: 'query-failed' });
    expect(
      readdirSync(tmpdir()).filter(
        (name) =>
          name.startsWith('sluice-question-') && existsSync(join(tmpdir(), name, String(pid))),
      ),
    ).toEqual([]);
  });

  it('ends with the process that asked', async () => {
    const script = `
      import { askInChild } from ${JSON.stringify(new URL('../../../deploy/host/question-process.js', import.meta.url).href)};
      import { systemClock } from ${JSON.stringify(new URL('../../../schemas/kernel/clock.js', import.meta.url).href)};
      void askInChild(${JSON.stringify(endless())}, { clock: systemClock, onStart: (pid) => {
        console.log(pid);
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 500);
      } });`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
    const pid = Number(stdout.toString());
    expect(pid).toBeGreaterThan(0);
    await until(() => !isAlive(pid));
  });
});

it('what runs with the bounds of the kernel writes no byte into a file, and gets no more address space', () => {
  const target = join(newFolder(), '..', 'kept');
  writeFileSync(target, 'kept');
  const run = (code: string): ReturnType<typeof spawnSync> => {
    const [shell, ...args] = boundedCommand([process.execPath, '-e', code], 0);
    return spawnSync(shell, args);
  };
  const write = run(
    `try { require('fs').writeFileSync(${JSON.stringify(join(target, '..', 'new'))}, 'x'); console.log('written') } catch {}`,
  );
  expect(String(write.stdout)).toBe('');
  const overwrite = run(
    `const f = require('fs'); const d = f.openSync(${JSON.stringify(target)}, 'r+'); try { f.writeSync(d, 'lost'); console.log('written') } catch {}`,
  );
  expect(String(overwrite.stdout)).toBe('');
  expect(readFileSync(target, 'utf8')).toBe('kept');
  const grow = run(
    `const kept = []; try { for (;;) kept.push(Buffer.alloc(64 << 20, 1)) } catch {} console.log(kept.length)`,
  );
  expect(Number(grow.stdout) * 64).toBeLessThan(
    (questionReservedBytes + limits.questionMemoryMaxBytes) / mebi,
  );
});
