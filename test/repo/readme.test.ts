/**
 * Every command the README shows in an ```sh fence is run by a test; the table below says by which.
 * A command that is not in the table fails. The table says where to look; that the named file really runs the command is for its reader.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './support.ts';

/** Command line as the README shows it, and the file that runs it. */
const runBy: Readonly<Record<string, string>> = {
  'npm ci': 'test/repo/npm-ci.test.ts',
  'npm run check': '.ci/run',
  'npm test': '.ci/run',
};

/** The command lines of the ```sh fences: no comments, no blank lines, continued lines joined, a leading prompt taken off. */
function commandsOf(markdown: string): string[] {
  const fences = [...markdown.matchAll(/^[ \t]*```sh[ \t]*\n(.*?)^[ \t]*```[ \t]*$/gms)].map((match) => match[1] ?? '');
  return fences.flatMap((fence) =>
    fence
      .replace(/\\\n\s*/g, '')
      .split('\n')
      .map((line) =>
        line
          .trim()
          .replace(/^\$ /, '')
          .replace(/\s+#\s.*$/, ''),
      )
      .filter((line) => line !== '' && !line.startsWith('#')),
  );
}

describe('README.md', () => {
  const path = join(root, 'README.md');
  const commands = existsSync(path) ? commandsOf(readFileSync(path, 'utf8')) : [];

  it('shows commands', () => {
    expect(commands.length).toBeGreaterThan(0);
  });

  it('shows only commands that a test runs', () => {
    expect(commands.filter((command) => !Object.hasOwn(runBy, command))).toEqual([]);
  });

  it('the files that run the commands exist', () => {
    expect(Object.values(runBy).filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

describe('the reader of the fences', () => {
  it('takes command lines and nothing else', () => {
    const markdown = 'a\n```sh\n# note\n$ one --a \\\n  --b\n\ntwo  # why\n```\n```ts\nthree\n```\n  ```sh\n  four\n  ```\n';
    expect(commandsOf(markdown)).toEqual(['one --a --b', 'two', 'four']);
  });
});
