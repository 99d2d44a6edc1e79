/**
 * What is wrong with a window's shape and its aggregates. Pure.
 */
import { isPropertyName } from '../../nodes/names.ts';
import type { Problem } from '../../nodes/node.ts';
import type { WindowShape } from '../../time/windows.ts';
import type { WindowNode } from './node.ts';

/** Sliding windows: how many one element may be in. */
const windowsPerElementMax = 10_000;

/** What every result of a window has. */
const windowColumns = new Set(['key', 'windowStart', 'windowEnd', 'pane']);

export function windowProblems({ window, aggregates }: WindowNode): readonly Problem[] {
  const none = { message: 'it has no aggregate', fix: 'add one: aggregate({ rows: count() })' };
  return [
    ...shapeProblems(window),
    ...(aggregates.length === 0 ? [none] : []),
    ...aggregates.flatMap(({ name }) => aggregateProblems(name)),
  ];
}

function shapeProblems(window: WindowShape): readonly Problem[] {
  switch (window.type) {
    case 'tumbling':
      return offsetProblems(window.offsetMs, window.sizeMs, "window's size", 'window');
    case 'sliding': {
      const windows = window.sizeMs / window.slideMs;
      const offset = offsetProblems(window.offsetMs, window.slideMs, 'slide', 'slide');
      if (!(windows > windowsPerElementMax)) return offset;
      const message = `an element would be in ${Math.ceil(windows)} windows; at most ${windowsPerElementMax}`;
      return [...offset, { message, fix: 'choose a larger slide or a smaller size' }];
    }
    case 'session':
      return [];
  }
}

function offsetProblems(
  offsetMs: number,
  lengthMs: number,
  what: string,
  one: string,
): readonly Problem[] {
  if (!(Math.abs(offsetMs) >= lengthMs)) return [];
  return [
    {
      message: `the offset ${offsetMs} ms must be less than the ${what} ${lengthMs} ms`,
      fix: `use an offset shorter than one ${one}, or remove it`,
    },
  ];
}

function aggregateProblems(name: string): readonly Problem[] {
  const fix = 'rename the aggregate';
  const problems: Problem[] = [];
  if (!isPropertyName(name)) {
    const message = `the name of an aggregate must be letters, digits, _ and $, as a property of rows, not '${name}'`;
    problems.push({ message, fix });
  }
  if (windowColumns.has(name)) {
    const message = `an aggregate cannot be named '${name}': every result of a window already has that property`;
    problems.push({ message, fix });
  }
  return problems;
}
