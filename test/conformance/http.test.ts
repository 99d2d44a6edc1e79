/**
 * `npm run conformance:http`, on this machine's Node and on Node 24 in a Debian 13: everything passes but what the HTTP server's binary is known
 * not to; the lists are short, and no case on them leaves an event in the streams of which its client was told nothing, or that it failed.
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

const runMs = 900_000;
const cases = 'test/conformance/http';
const files = ['framing.yaml', 'heads.yaml', 'paths.yaml', 'cors.yaml'];
const ofServer = ['framing.yaml', 'heads.yaml', 'websocket.yaml'];
let out: string;
beforeAll(() => {
  out = mkdtempSync(join(tmpdir(), 'sluice-conformance-'));
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Runs all cases without a list: what a listed one does shows only so. */
function results([command, args]: readonly [string, readonly string[]], report: string): Promise<readonly Result[]> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { maxBuffer: 64 * 1_048_576 }, (_error, stdout, stderr) => {
      try {
        resolve(JSON.parse(readFileSync(join(out, report), 'utf8')) as Result[]);
      } catch {
        reject(new Error(`the runner wrote no report:\n${stdout}${stderr}`));
      }
    });
  });
}

const failing = (all: readonly Result[]): readonly string[] =>
  all
    .filter(({ problems }) => problems.length > 0)
    .map(({ file, name }) => `${file}: ${name}`)
    .toSorted();

function listed(path: string): readonly string[] {
  return readFileSync(join(root, path), 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/\s+#.*$/, ''))
    .toSorted();
}

/** An event that is in the streams although its client was answered an error, or nothing. */
function storedUnsaid(problem: string): boolean {
  const unsaid = /(?:status \S+, got (?:no answer|\[[^\]]*[45]\d\d))/.test(problem);
  const isStored = /got it in the folder|stored \d+ times, got [1-9]/.test(problem);
  // A right answer would have stored it: that it is not there is a problem of its own then.
  const wanted = /expected status \[20\d|status \[200/.test(problem) && !/stored \d+ times, got 0|stored, got nothing/.test(problem);
  return unsaid && (isStored || (wanted && /stored/.test(problem)));
}

function expectAsListed(all: readonly Result[], list: string): void {
  const seen = failing(all);
  const known = listed(list).filter((name) => files.some((file) => name.startsWith(file)));
  const problems = new Map(all.map(({ file, name, problems: found }) => [`${file}: ${name}`, found.join('; ')]));
  expect(seen.filter((name) => !known.includes(name)).map((name) => `${name}: ${problems.get(name)}`)).toEqual([]);
  expect(known.filter((name) => !seen.includes(name)).map((name) => `${name}: it passes, so take it off the list`)).toEqual([]);
  expect(known.filter((name) => storedUnsaid(problems.get(name) ?? ''))).toEqual([]);
  expect(all.length).toBeGreaterThan(150);
}

describe('the cases of HTTP', () => {
  it(
    'pass on this Node, but for the known ones of its binary',
    async () => {
      const args = [
        join(root, runner),
        '--start',
        root,
        '--parallel',
        '4',
        '--json',
        join(out, 'here.json'),
        ...files.map((file) => join(root, cases, file)),
      ];
      expectAsListed(await results([process.execPath, args], 'here.json'), knownList(process.versions.modules));
    },
    runMs,
  );

  it.skipIf(debianMissing() !== undefined)(
    'pass on Node 24 in a Debian 13, but for the known ones of its binary',
    async () => {
      const dir = await debianRoot();
      const args = [
        `${projectDir}/${runner}`,
        '--start',
        projectDir,
        '--parallel',
        '4',
        '--json',
        '/out/debian.json',
        ...files.map((file) => `${projectDir}/${cases}/${file}`),
      ];
      expectAsListed(await results(inDebian(dir, root, out, args), 'debian.json'), knownList('137'));
    },
    runMs,
  );
});

describe('the lists of known cases', () => {
  it.each([
    [knownList('115'), 51],
    [knownList('137'), 17],
  ])('%s has at most %d cases of the HTTP server, each with its reason', (list, most) => {
    expect(listed(list).filter((name) => ofServer.some((file) => name.startsWith(file))).length).toBeLessThanOrEqual(most);
    const lines = readFileSync(join(root, list), 'utf8').split('\n');
    expect(lines.filter((line) => line !== '' && !line.startsWith('#') && !/ {2}# .{20,}/.test(line))).toEqual([]);
  });
});
