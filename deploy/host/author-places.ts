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

/** In a compiled topology, from 1. */
export interface ScriptPlace {
  readonly line: number;
  readonly column: number;
}

const inlineMap = /^\/\/# sourceMappingURL=data:application\/json;base64,(\S+)\s*$/m;

/**
 * Reads stacks of what was imported from `script`: the innermost line of the author's; undefined
 * where there is none.
 */
export function placeReader(script: string): (stack: string | undefined) => Place | undefined {
  const written = writtenPlaces(script);
  return (stack) => {
    for (const at of scriptPlaces(script, stack)) {
      const place = written(at);
      if (place !== undefined) return place;
    }
    return undefined;
  };
}

/** What of `script` a stack goes through, the innermost first. */
export function scriptPlaces(script: string, stack: string | undefined): readonly ScriptPlace[] {
  const url = `${pathToFileURL(script).href}:`;
  return (stack?.split('\n') ?? []).flatMap((frame) => {
    const at = frame.indexOf(url);
    if (at < 0) return [];
    const [line = 1, column = 1] = frame
      .slice(at + url.length)
      .split(/[:)]/)
      .map(Number);
    return [{ line, column }];
  });
}

/** What its author wrote at a place of `script`; undefined where that is nobody's. */
export function writtenPlaces(script: string): (at: ScriptPlace) => Place | undefined {
  const [, encoded] = inlineMap.exec(readFileSync(script, 'utf8')) ?? [];
  if (encoded === undefined) return () => undefined;
  const map = new SourceMap(
    JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as ConstructorParameters<
      typeof SourceMap
    >[0],
  );
  return ({ line, column }) => {
    const found = map.findEntry(line - 1, column - 1);
    if (!('originalSource' in found)) return undefined;
    // The bundle has no folder of its own: its sources are named from the working directory.
    const file = relative(process.cwd(), resolve(found.originalSource));
    return { file, line: found.originalLine + 1, column: found.originalColumn + 1 };
  };
}
