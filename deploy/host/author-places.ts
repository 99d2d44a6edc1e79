/**
 * From a place in a compiled topology to the line that its author wrote.
 */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface Place {
  /** Relative to the working directory. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const inlineMap = /^\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/m;

/**
 * Reads stacks of what was imported from `script`: the innermost line of the author's; undefined
 * where there is none.
 */
export function placeReader(script: string): (stack: string | undefined) => Place | undefined {
  const [, encoded] = inlineMap.exec(readFileSync(script, 'utf8')) ?? [];
  if (encoded === undefined) return () => undefined;
  const map = new SourceMap(
    JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as ConstructorParameters<
      typeof SourceMap
    >[0],
  );
  const url = `${pathToFileURL(script).href}:`;
  return (stack) => {
    for (const frame of stack?.split('\n') ?? []) {
      const at = frame.indexOf(url);
      if (at < 0) continue;
      const [row = 1, column = 1] = frame
        .slice(at + url.length)
        .split(/[:)]/)
        .map(Number);
      const found = map.findEntry(row - 1, column - 1);
      if (!('originalSource' in found)) continue;
      // The bundle has no folder of its own: its sources are named from the working directory.
      const file = relative(process.cwd(), resolve(found.originalSource));
      return { file, line: found.originalLine + 1, column: found.originalColumn + 1 };
    }
    return undefined;
  };
}
