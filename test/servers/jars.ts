/**
 * Jars of the servers from Maven Central, and classes of our own that run beside them: fetched and
 * compiled once, kept in the user's cache.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cached, missing } from './cache.ts';

const run = promisify(execFile);
const sources = fileURLToPath(new URL('../../../test/servers/java', import.meta.url));

/** Why servers of Java cannot run here. */
export function javaMissing(): string | undefined {
  const absent = ['java', 'javac', 'mvn'].filter(
    (command) => spawnSync(command, ['-version']).status !== 0,
  );
  return absent.length === 0
    ? undefined
    : missing(`Kafka and Neo4j need Java 17 and Maven: ${absent.join(', ')} is not there.`);
}

/** The folders of classes of our own. */
const ownClasses = { kafka: 'sluice', connect: 'connect', neo4j: undefined } as const;

/** The class path of a server. The pom's profiles say what each needs. */
export async function classPath(profile: keyof typeof ownClasses): Promise<string> {
  const pom = join(sources, 'pom.xml');
  const folder = ownClasses[profile];
  const own =
    folder === undefined
      ? []
      : readdirSync(join(sources, folder)).map((name) => join(sources, folder, name));
  const version = createHash('sha256').update('own.jar');
  for (const path of [pom, ...own]) version.update(readFileSync(path));
  const dir = await cached(`${profile}-${version.digest('hex').slice(0, 12)}`, async (made) => {
    const [jars, classes] = [join(made, 'jars'), join(made, 'classes')];
    mkdirSync(classes);
    const copy = [
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${jars}`,
    ];
    await run('mvn', ['-q', '-B', '-f', pom, '-P', profile, ...copy], { maxBuffer: 1 << 26 });
    if (own.length > 0) {
      await run('javac', ['--release', '17', '-cp', join(jars, '*'), '-d', classes, ...own]);
      // Classes of a folder are in no archive of classes (class-archive.ts).
      await run('jar', ['--create', '--file', join(jars, 'own.jar'), '-C', classes, '.']);
    }
  });
  const jars = join(dir, 'jars');
  return readdirSync(jars)
    .sort()
    .map((jar) => join(jars, jar))
    .join(':');
}
