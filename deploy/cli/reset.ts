/**
 * `sluice reset`: deletes everything local, after asking, and never under a running instance.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { findInstance } from '../host/instance.ts';
import type { Output } from './output.ts';

/** What a local directory of Sluice can hold; with anything else in it, it is somebody's own folder. */
const ours = new Set([
  'log',
  'lake',
  'checkpoints',
  'build',
  'send',
  'graph',
  'graph-staging',
  'spool',
  'claims',
  'instance.json',
  'control.sock',
  'control.path',
]);
/** What the embedded graph keeps beside its file. */
const ofGraph = /^graph\.\w+/;

export async function resetCommand(dir: string, yes: boolean, output: Output): Promise<number> {
  if (!existsSync(dir)) {
    output.line(output.json ? JSON.stringify({ removed: [] }) : `${dir} does not exist; nothing to do`);
    return 0;
  }
  const instance = await findInstance(dir);
  if (instance !== undefined)
    throw new SluiceError('already-running', `${dir} is in use by pid ${instance.pid} (${instance.url})`, { fix: 'stop it first' });
  const entries = readdirSync(dir);
  const foreign = entries.filter((entry) => !ours.has(entry) && !ofGraph.test(entry));
  if (foreign.length > 0)
    throw new SluiceError('not-ours', `${dir} holds what Sluice did not make: ${foreign.slice(0, 5).join(', ')}`, {
      fix: 'name the right directory with --dir',
    });
  if (!yes && !(await confirmed(dir))) {
    output.note('nothing was removed');
    return 1;
  }
  rmSync(resolve(dir), { recursive: true, force: true });
  output.line(output.json ? JSON.stringify({ removed: entries }) : `removed ${dir} (${entries.join(', ')})`);
  return 0;
}

async function confirmed(dir: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new SluiceError('not-confirmed', `deleting ${dir} needs a yes`, { fix: 'say it with --yes' });
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`Delete all events, tables and checkpoints in ${resolve(dir)}? [y/N] `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}
