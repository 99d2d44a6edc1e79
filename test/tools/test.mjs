/**
 * `npm test`: everything. `npm test -- topology/operators/window`: the tests whose path has that in
 * it, from TypeScript source in seconds where they can; the project is compiled only when one of
 * them needs dist. `npm test -- --unit`: all that run from source. Other options go to vitest
 * (`--watch`, `-t NAME`, `--reporter=json`).
 *
 * Tests have a folder for temporary files that is removed when they end, whatever ended them: one
 * that is killed, or runs out of time, removes nothing of its own.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, splitTests } from './unit-tests.mjs';

/** Options of vitest that have their value in the next argument. */
const valued = new Set(['-t', '--testNamePattern', '--reporter', '--outputFile', '--project']);

/**
 * What is to be done for these arguments: whether to compile first, and how vitest is called.
 * Undefined when no test has any of the names.
 */
export function decideRun(args, { fromSource, fromDist }) {
  const options = [];
  const names = [];
  let unit = false;
  let watch = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === '--unit') unit = true;
    else if (arg === '--watch' || arg === '-w') watch = true;
    else if (!arg.startsWith('-')) names.push(arg.replace(/^dist\//, '').replace(/\.[jt]s$/, ''));
    else {
      options.push(arg);
      if (valued.has(arg) && at + 1 < args.length) options.push(args[++at]);
    }
  }
  const isMeant = (path) => names.length === 0 || names.some((name) => path.includes(name));
  const compile = !unit && fromDist.some(isMeant);
  if (!compile && !fromSource.some(isMeant)) return undefined;
  const project = compile ? [] : ['--project', 'unit'];
  return { compile, vitest: [watch ? 'watch' : 'run', ...project, ...options, ...names] };
}

let running;

async function run(env, script, ...args) {
  running = spawn(process.execPath, [script, ...args], { cwd: root, env, stdio: 'inherit' });
  return (await new Promise((resolve) => running.once('exit', resolve))) ?? 1;
}

/** A signal to this process alone goes on to what it runs; Ctrl-C reaches both by itself. */
function outliveSignals() {
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => running?.kill(signal));
  process.on('SIGINT', () => undefined);
}

async function main(args) {
  const decided = decideRun(args, splitTests());
  if (decided === undefined) {
    console.error(`no test file has ${args.join(' or ')} in its path`);
    return 1;
  }
  outliveSignals();
  if (decided.compile) {
    const failed = await run(process.env, join(root, 'test', 'tools', 'build.mjs'));
    if (failed !== 0) return failed;
  }
  // Short, as paths of sockets are below it; open as /tmp is, as tests are other users, too.
  const temporary = mkdtempSync(join(tmpdir(), 'st-'));
  chmodSync(temporary, 0o1777);
  const env = { ...process.env, TMPDIR: temporary };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  try {
    return await run(env, vitest, ...decided.vitest);
  } finally {
    // Workers that were killed with it may still be writing.
    rmSync(temporary, { recursive: true, force: true, maxRetries: 10 });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = await main(process.argv.slice(2));
