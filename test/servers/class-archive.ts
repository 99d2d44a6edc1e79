/**
 * The classes that a server of Java has loaded once it answers, in a file of the user's cache: its
 * next starts map them instead of reading jars, which is most of what a start costs
 * (https://openjdk.org/jeps/350).
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cached } from './cache.ts';
import type { ChildServer } from './child-server.ts';

const run = promisify(execFile);
/** The file is written at the end. */
const stopMaxMs = 120_000;

export interface JavaStart {
  /** Of `java`, beside those of the server. */
  readonly options: readonly string[];
  /** As of child-server.ts. */
  readonly stopMaxMs?: number;
}

/**
 * How a server with the class path `classes` is started. `start` starts it for the first time, and
 * has it do what others will ask of it. Where the JVM kept no file it starts as it would without.
 */
export async function classArchive(
  name: string,
  classes: string,
  start: (first: JavaStart) => Promise<ChildServer>,
): Promise<JavaStart> {
  // Another JVM cannot map it.
  const { stdout, stderr } = await run('java', ['-version']);
  const digest = createHash('sha256').update(`${classes}${stdout}${stderr}`).digest('hex');
  const dir = await cached(`${name}-archive-${digest.slice(0, 12)}`, async (made) => {
    const options = [`-XX:ArchiveClassesAtExit=${join(made, 'classes.jsa')}`];
    const server = await start({ options, stopMaxMs });
    await server.stop();
  });
  const file = join(dir, 'classes.jsa');
  return { options: existsSync(file) ? [`-XX:SharedArchiveFile=${file}`] : [] };
}
