/**
 * Prometheus' own check of rules: the `promtool` of this machine, or that of Debian's package.
 */
import { spawnSync } from 'node:child_process';
import { debianProgram, debianProgramMissing } from './debian-program.ts';

const name = 'promtool';
const isHere = (): boolean => spawnSync(name, ['--version']).status === 0;

/** Why it cannot be had here, as a sentence; undefined when it can. With CI=1 that is thrown. */
export function promtoolMissing(): string | undefined {
  return isHere() ? undefined : debianProgramMissing(name);
}

/** The program to call. */
export async function promtool(): Promise<string> {
  return isHere() ? name : debianProgram('prometheus', name);
}
