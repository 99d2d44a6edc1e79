/**
 * `npm run conformance:http`, on this machine's Node, and what the HTTP server's binary has a part in
 * on Node 24 in a Debian 13: everything passes but what that binary is known not to; the lists are
 * short, and no case on them leaves an event in the streams of which its client was told nothing, or
 * that it failed.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root } from '../repo/support.ts';
import { debianMissing, debianRoot, inDebian, projectDir } from '../servers/debian-root.ts';
import { knownList, runner } from './http-run.ts';

interface Result {
  readonly file: string;
  readonly name: string;
  readonly problems: readonly string[];
}
type Run = (options: readonly string[]) => Promise<readonly Result[]>;

const runMs = 900_000;
const ofServer = ['framing.yaml', 'heads.yaml', 'websocket.yaml'];
/** What the binary of the HTTP server has a part in, and what its list names. */
const ofBinary = [...ofServer, 'paths.yaml'].flatMap((file) => [file, `more-${file}`]);
/**
 * Tries of a case that does not do what its list says: a busy machine joins segments, or is late.
 */
const triesMax = 3;
const againMax = 12;
let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Runs cases without a list: what a listed one does shows only so. */
function results(
  report: string,
  signal: AbortSignal,
  [command, args]: readonly [string, readonly string[]],
): Promise<readonly Result[]> {
  return new Promise((resolve, reject) => {
    // Ended with the test: it and its instances would run on.
    execFile(command, args, { maxBuffer: 64 * 1_048_576, signal }, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(readFileSync(join(out, report), 'utf8')) as Result[]);
      } catch {
        reject(new Error(`the runner wrote no report:\n${stdout}${stderr}`));
      }
    });
  });
}

function listed(path: string): readonly string[] {
  return readFileSync(join(root, path), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\s+#.*$/, ''))
    .toSorted();
}

const nameOf = ({ file, name }: Result): string => `${file}: ${name}`;

/** An event that is in the streams although its client was answered an error, or nothing. */
function storedUnsaid(problem: string): boolean {
  const unsaid = /got no answer|status \S+, got \[[^\]]*[45]\d\d/.test(problem);
  if (!unsaid) return false;
  if (/got it in the folder|stored \d+ times, got [1-9]/.test(problem)) return true;
  // The right answer is one for an event that is stored: where that is no problem of its own, it
  // is.
  return (
    /expected status \[(?:200|101)/.test(problem) &&
    !/stored \d+ times, got 0|got nothing of it/.test(problem) &&
    !/healthz|body/.test(problem)
  );
}

async function expectAsListed(run: Run, list: string, least: number): Promise<void> {
  const known = new Set(listed(list));
  const all = await run(['--parallel', '4']);
  expect(all.length).toBeGreaterThan(least);
  expect([...known].filter((name) => !all.some((one) => nameOf(one) === name))).toEqual([]);
  const differs = (one: Result): boolean => one.problems.length > 0 !== known.has(nameOf(one));
  const wrong: string[] = [];
  for (const [index, one] of all.filter(differs).entries()) {
    let last = one;
    for (let tries = 1; tries < triesMax && index < againMax && differs(last); tries++)
      last =
        (await run(['--only', one.file, '--only', one.name])).find(
          (again) => nameOf(again) === nameOf(one),
        ) ?? last;
    if (differs(last))
      wrong.push(
        `${nameOf(one)}: ${last.problems.join('; ') || 'it passes, so take it off the list'}`,
      );
  }
  expect(wrong).toEqual([]);
  expect(
    all
      .filter((one) => known.has(nameOf(one)) && storedUnsaid(one.problems.join('; ')))
      .map(nameOf),
  ).toEqual([]);
}

describe('the cases of HTTP', () => {
  it(
    'pass on this Node, but for the known ones of its binary',
    async ({ signal }) => {
      const run: Run = (options) =>
        results('node.json', signal, [
          process.execPath,
          [join(root, runner), '--start', root, '--json', join(out, 'node.json'), ...options],
        ]);
      await expectAsListed(run, knownList(process.versions.modules), 1_000);
    },
    runMs,
  );

  it.skipIf(debianMissing() !== undefined)(
    'pass on Node 24 in a Debian 13, but for the known ones of its binary',
    async ({ signal }) => {
      const dir = await debianRoot();
      const files = ofBinary.map((file) => `${projectDir}/test/conformance/http/${file}`);
      const base = [`${projectDir}/${runner}`, '--start', projectDir, '--json', '/out/debian.json'];
      await expectAsListed(
        (options) =>
          results('debian.json', signal, inDebian(dir, root, out, [...base, ...options, ...files])),
        knownList('137'),
        300,
      );
    },
    runMs,
  );
});

describe('the lists of known cases', () => {
  it.each([
    [knownList('115'), 5],
    [knownList('137'), 19],
  ])('%s has at most %d cases of the HTTP server, each with its reason', (list, most) => {
    expect(
      listed(list).filter((name) => ofServer.some((file) => name.startsWith(file))).length,
    ).toBeLessThanOrEqual(most);
    const lines = readFileSync(join(root, list), 'utf8').split('\n');
    expect(
      lines.filter((line) => line !== '' && !line.startsWith('#') && !/ {2}# .{20,}/.test(line)),
    ).toEqual([]);
  });

  it('would not have an event that is stored unsaid', () => {
    expect(
      storedUnsaid(
        'expected status [[400,501]], got no answer; and not stored, got it in the folder',
      ),
    ).toBe(true);
    expect(
      storedUnsaid('expected status [200,200], got [505]; the connection open, got it closed'),
    ).toBe(true);
    expect(storedUnsaid('expected status [200], got [505]; and stored 1 times, got 0')).toBe(false);
    expect(storedUnsaid('status [400], got [200]; and not stored, got it in the folder')).toBe(
      false,
    );
  });
});
