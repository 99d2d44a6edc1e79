/**
 * Windows of event time by key.
 */
import { repeatedNames } from '../../nodes/names.ts';
import { latePort } from '../../nodes/node.ts';
import type { WindowShape } from '../../time/windows.ts';
import type { Kind } from '../kind.ts';
import { untimedProblems } from '../kind.ts';
import type { Options, PartCalls, Rule } from '../kind-state.ts';
import { partOption } from '../kind-state.ts';
import { withoutNames } from '../layouts.ts';
import { migratePart, versionOptions } from '../state-version.ts';
import { aggregatorOf } from './aggregates.ts';
import { windowDocs } from './docs.ts';
import type { WindowNode } from './node.ts';
import { aggregateSlot } from './node.ts';
import { WindowOperator } from './operator.ts';
import { windowsFromWhole } from './whole-state.ts';
import { windowProblems } from './window-problems.ts';
import type { EncodedWindow, WindowHead } from './window-table.ts';

const oldBounds: Rule = {
  why: 'windows in state have the old bounds',
  isTime: true,
  // A window of another kind has other lengths, too.
  saidBy: 'window',
};

export const windowKind: Kind<WindowNode> = {
  name: 'window',
  docs: windowDocs,
  summary: ({ window, aggregates }) =>
    `${shapeText(window)} by key: ${aggregates.map(({ name, agg }) => `${name} ${agg}`).join(', ')}`,
  slots: ({ aggregates }) => [
    'key',
    ...aggregates.flatMap(({ name, parts }) => parts.map((part) => aggregateSlot(name, part))),
  ],
  keySlots: ['key'],
  problems: (node, plan) => [
    ...untimedProblems(node, plan, 'a window fires by event time'),
    ...windowProblems(node),
  ],
  nameProblems: ({ aggregates }) =>
    repeatedNames(
      'aggregates',
      aggregates.map(({ name }) => name),
    ),
  latePorts: [latePort],
  state: {
    options: optionsOf,
    // What the watermark went past under the old lateness stays past.
    rules: {
      window: { why: 'windows in state are of the old kind' },
      size: oldBounds,
      slide: oldBounds,
      offset: oldBounds,
      gap: oldBounds,
      mode: { why: 'the windows in state already emitted results in the old mode' },
    },
    hasEra: true,
    fromWhole: windowsFromWhole,
    adapt: (head, { gone }) => {
      const { layouts, ...others } = head as WindowHead;
      return { ...others, layouts: withoutNames(layouts, gone) };
    },
    migrated: migratedWindow,
    migrateSlot: (name) => aggregateSlot(name, migratePart),
  },
  rests: true,
  // A late pane is told by the element that caused it.
  keyed: {
    reads: ({ allowedLatenessMs }) => ({ values: true, origins: allowedLatenessMs > 0 }),
  },
  operator: (node, parts) => {
    const { call } = parts;
    const aggregates = node.aggregates.map((choice) => ({
      name: choice.name,
      aggregator: aggregatorOf(choice, call),
    }));
    return new WindowOperator(node, call('key'), aggregates, parts);
  },
};

/** The accumulators of an entry, as calls give them. */
function migratedWindow(text: string, { layouts }: WindowHead, calls: PartCalls): string {
  const [layout, start, end, fired, changed, early, accumulators] = JSON.parse(
    text,
  ) as EncodedWindow;
  const names = layouts[layout] ?? [];
  const migrated = accumulators?.map((accumulator, at) => {
    const call = calls.get(names[at] ?? '');
    return call === undefined ? accumulator : call(accumulator);
  });
  const encoded: EncodedWindow = [layout, start, end, fired, changed, early, migrated ?? null];
  return JSON.stringify(encoded);
}

function shapeText(window: WindowShape): string {
  switch (window.type) {
    case 'tumbling':
      return `tumbling ${window.sizeMs} ms`;
    case 'sliding':
      return `sliding ${window.sizeMs} ms every ${window.slideMs} ms`;
    case 'session':
      return `session, gap ${window.gapMs} ms`;
  }
}

function optionsOf(node: WindowNode): Options {
  const { window, allowedLatenessMs, late, mode, earlyMs, aggregates } = node;
  const { type, ...lengths } = window;
  return {
    window: type,
    ...Object.fromEntries(
      Object.entries(lengths).map(([name, ms]) => [name.replace(/Ms$/, ''), ms]),
    ),
    allowedLateness: allowedLatenessMs,
    late,
    mode,
    early: earlyMs,
    ...Object.fromEntries(aggregates.map(({ name, agg }) => [partOption('aggregates', name), agg])),
    ...versionOptions(aggregates),
  };
}
