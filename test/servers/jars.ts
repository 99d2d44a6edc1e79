/**
 * Jars of the servers from Maven Central, and classes of our own that run beside them: fetched and compiled once, kept in the user's cache.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sources = fileURLToPath(new URL('../../../test/servers/java', import.meta.url));

/** Why servers of Java cannot run here, as a sentence. With CI=1 that is a failure, else the suite is skipped. */
export function javaMissing(): string | undefined {
  const missing = ['java', 'javac', 'mvn'].filter((command) => spawnSync(command, ['-version']).status !== 0);
  if (missing.length === 0) return undefined;
  const sentence = `Kafka and Neo4j need Java 17 and Maven: ${missing.join(', ')} is not there.`;
  if (process.env['CI'] === '1') throw new Error(sentence);
  console.log(`skipped: ${sentence}`);
  return sentence;
}

/** The class path of a server. The pom's profiles say what each needs. */
export async function classPath(profile: 'kafka' | 'neo4j'): Promise<string> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const pom = readFileSync(join(sources, 'pom.xml'));
  const own = readdirSync(join(sources, 'sluice')).map((name) => join(sources, 'sluice', name));
  const version = createHash('sha256')
    .update(pom)
    .update(own.map((path) => readFileSync(path, 'utf8')).join(''))
    .digest('hex')
    .slice(0, 12);
  const dir = join(cache, 'sluice', `${profile}-${version}`);
  const [jars, classes, mark] = [join(dir, 'jars'), join(dir, 'classes'), join(dir, 'complete')];
  const path = `${classes}:${join(jars, '*')}`;
  if (existsSync(mark)) return path;
  mkdirSync(classes, { recursive: true });
  const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
  await run('mvn', ['-q', '-B', '-f', join(sources, 'pom.xml'), '-P', profile, ...copy], { maxBuffer: 1 << 26 });
  if (profile === 'kafka') await run('javac', ['--release', '17', '-cp', join(jars, '*'), '-d', classes, ...own]);
  writeFileSync(mark, '');
  return path;
}
