/**
 * `npm run audit`: what the registry knows of vulnerabilities in the packages that are shipped, as a
 * report: a registry without such an answer is said, and nothing fails.
 */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The report's lines, of what `npm audit --json` prints. */
export function reportOf(text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return ['npm audit: no answer'];
  }
  if (answer.vulnerabilities === undefined) {
    const why = answer.message ?? answer.error?.summary ?? 'no answer';
    return [`npm audit: the registry does not tell: ${why}`];
  }
  const found = Object.values(answer.vulnerabilities).map(
    ({ name, severity, range, fixAvailable }) =>
      `${severity}: ${name} ${range}${fixAvailable ? ', a fix is available' : ''}`,
  );
  return [...found.toSorted(), `npm audit: ${found.length} packages with known vulnerabilities`];
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' });
  for (const line of reportOf(stdout)) console.log(line);
}
