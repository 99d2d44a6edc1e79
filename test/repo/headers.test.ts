/**
 * Every source file outside test says at its top what it is for, and a file over 400 lines says why
 * it is.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryFiles, root } from './support.ts';

const longest = 400;

/** What is wrong with a file's text, in words. */
function faultsOf(text: string): string[] {
  const header =
    /^(?:#!.*\n)?\s*\/\*\*?([\s\S]*?)\*\//
      .exec(text)?.[1]
      ?.replace(/[\s*]+/g, ' ')
      .trim() ?? '';
  const lines = text.replace(/\n$/, '').split('\n').length;
  return [
    ...(header.length < 20 ? ['no header comment'] : []),
    ...(lines > longest && !header.includes(`over ${longest} lines because`)
      ? [`${lines} lines, and the header does not say 'over ${longest} lines because'`]
      : []),
  ];
}

describe('headers', () => {
  it('every source file has one, and says why when it is long', () => {
    const files = repositoryFiles().filter(
      (path) => path.endsWith('.ts') && !path.endsWith('.gen.ts') && !path.startsWith('test/'),
    );
    const faults = files.flatMap((path) =>
      faultsOf(readFileSync(join(root, path), 'utf8')).map((fault) => ({ path, fault })),
    );
    expect(faults).toEqual([]);
    expect(files.length).toBeGreaterThan(40);
  });

  it('the rule itself: a missing header, an empty one, and a long file are found', () => {
    const header = '/**\n * Says what the file is for.\n */\n';
    const long = 'export {};\n'.repeat(longest);
    expect(faultsOf('export {};\n')).toEqual(['no header comment']);
    expect(faultsOf('/** */\nexport {};\n')).toEqual(['no header comment']);
    expect(faultsOf(`import 'a';\n${header}`)).toEqual(['no header comment']);
    expect(faultsOf(`${header}export {};\n`)).toEqual([]);
    expect(faultsOf(`#!/usr/bin/env node\n${header}`)).toEqual([]);
    expect(faultsOf(`${header}${long}`)).toHaveLength(1);
    expect(
      faultsOf(
        `/**\n * Says what it is for; over ${longest} lines because it is one table.\n */\n${long}`,
      ),
    ).toEqual([]);
  });
});
