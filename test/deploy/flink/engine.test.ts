/**
 * What `topology check --for flink` says of JavaScript is held against the job's own engine: what it
 * lets pass is there, and gives what Node gives.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import {
  differingMath,
  languageGlobals,
  newerGlobals,
  newerMethods,
  newerStatics,
  samePowers,
} from '../../../deploy/flink/check/differences.ts';
import { builtJob, scriptEngines } from '../../../deploy/flink/jar.ts';
import { root } from '../../repo/support.ts';
import { javaMissing } from '../../servers/jars.ts';

const run = promisify(execFile);
const dir = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Probed {
  /** By function: a hash of what it gives for 4,000 numbers. */
  readonly math: Readonly<Record<string, number>>;
  readonly globals: readonly string[];
  readonly newer: readonly string[];
  readonly texts: readonly string[];
  /** What a host has beside the language, where it is there. */
  readonly host: readonly string[];
}

/** A script that gives a `Probed` as JSON. */
const script = `(() => {
  const hash = (f) => {
    let h = 0;
    for (let i = 1; i < 4000; i++) {
      const s = String(f(i / 37.7));
      for (let j = 0; j < s.length; j++) h = (Math.imul(h, 31) + s.charCodeAt(j)) | 0;
    }
    return h;
  };
  const within = ['acos', 'asin', 'atanh'];
  const of = (name) => (within.includes(name) ? (v) => Math[name](v / 600) : (v) => Math[name](v, 3.7));
  const names = Object.getOwnPropertyNames(Math).filter((n) => typeof Math[n] === 'function');
  const asked = names.filter((n) => n !== 'random' && n !== 'f16round' && n !== 'sumPrecise');
  const math = Object.fromEntries(asked.map((n) => [n, hash(of(n))]));
  for (const power of ${JSON.stringify([...samePowers])}) math['** ' + power] = hash((v) => v ** power);
  const holders = [Array.prototype, String.prototype, Set.prototype];
  const at = (path) => path.split('.').reduce((found, name) => found?.[name], globalThis);
  return JSON.stringify({
    math,
    globals: ${JSON.stringify([...languageGlobals])}.filter((n) => n in globalThis),
    newer: [
      ...${JSON.stringify([...newerMethods])}.filter((n) => holders.some((one) => n in one)),
      ...${JSON.stringify([...newerStatics, ...newerGlobals])}.filter((n) => at(n) !== undefined),
    ],
    host: [
      ...['process', 'require', 'module', 'Buffer', 'setTimeout', 'setImmediate', 'queueMicrotask', 'fetch'],
      ...['WebAssembly', 'crypto', 'performance', 'navigator', 'console', 'print', 'load', 'Java', 'Polyglot'],
    ].filter((n) => n in globalThis),
    texts: [
      String(new Date(2026, 6, 1).getTimezoneOffset()),
      ...[0.1 + 0.2, 1e21, 1e-7, 123456789.123, 5e-324].map(String),
      JSON.stringify({ b: 1, 10: 1, a: [undefined, NaN, -0], d: new Date(0) }),
      new Date(Date.UTC(2026, 1, 3)).toISOString(),
      'aé日🎉'.replace(/\\p{L}/gu, 'x'), 'Å'.normalize('NFD').length + '', /k/iu.test('\\u212a') + '',
      [3, 1, 2].sort().join(), [1, 2].at(-1) + '', Object.hasOwn({ a: 1 }, 'a') + '',
    ],
  });
})()`;

describe.skipIf(javaMissing() !== undefined)('an engine of the job', () => {
  it.each(scriptEngines)(
    '%s has and does what the check lets pass, and nothing of a host',
    async (engine) => {
      const { jar } = await builtJob({ harness: true, engine });
      const file = join(dir, 'probe.js');
      writeFileSync(file, script);
      const probe = join(root, 'test/servers/java/flink/probe/Probe.java');
      // Not by the launcher for sources, which a runtime without a compiler does not have.
      await run('javac', ['--release', '11', '-cp', jar, '-d', dir, probe]);
      const args = ['-Xmx512m', '-cp', `${dir}:${jar}`, 'sluice.flink.Probe', engine, file];
      // The language's own zone is UTC, whatever the machine's is.
      const { stdout } = await run('java', args, { env: { ...process.env, TZ: 'Asia/Tokyo' } });
      const there = JSON.parse(stdout) as Probed;
      const here = JSON.parse(vm.runInNewContext(script) as string) as Probed;
      const differing = Object.keys(there.math).filter(
        (name) => there.math[name] !== here.math[name],
      );
      expect(differing.filter((name) => !differingMath.has(name))).toEqual([]);
      // What a function is called with, which is in none here.
      const asked = [...languageGlobals].filter((name) => name !== 'arguments');
      expect(asked.filter((name) => !there.globals.includes(name))).toEqual([]);
      expect(there.host).toEqual([]);
      expect(there.texts).toEqual(['0', ...here.texts.slice(1)]);
      if (engine === 'v8') return;
      expect(differing.length).toBeGreaterThan(5);
      expect(there.newer).toEqual([]);
    },
    600_000,
  );
});
