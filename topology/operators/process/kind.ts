/**
 * A function with state and timers per key.
 */
import { isPropertyName, repeatedNames } from '../../nodes/names.ts';
import type { EncodedKeyState } from '../../state/key-state.ts';
import { migratedKeyState } from '../../state/key-state.ts';
import type { Kind } from '../kind.ts';
import { untimedProblems } from '../kind.ts';
import type { Options, OptionValue } from '../kind-state.ts';
import { partOption } from '../kind-state.ts';
import { withoutNames } from '../layouts.ts';
import { versionOptions } from '../state-version.ts';
import { buildProcess } from './build.ts';
import { processDocs } from './docs.ts';
import type { ProcessNode } from './node.ts';
import { migrateSlot } from './node.ts';
import type { ProcessHead } from './operator.ts';
import { ProcessOperator } from './operator.ts';
import { processFromWhole } from './whole-state.ts';

export const processKind: Kind<ProcessNode> = {
  name: 'process',
  docs: processDocs,
  buildKeyed: buildProcess,
  summary: ({ state }) =>
    `process by key${state.length === 0 ? '' : `: ${state.map(({ name, type }) => `${name} ${type}`).join(', ')}`}`,
  slots: ({ timers, state }) => [
    'key',
    'onElement',
    ...(timers ? ['onTimer'] : []),
    ...state.flatMap(({ name, version }) => (version === undefined ? [] : [migrateSlot(name)])),
  ],
  keySlots: ['key'],
  problems: (node, plan) => [
    ...untimedProblems(node, plan, 'timers and their outputs have event time'),
    ...node.state
      .filter(({ name }) => !isPropertyName(name))
      .map(({ name }) => ({
        message: `the name of a state must be letters, digits, _ and $, not '${name}'`,
        fix: 'rename the state',
      })),
  ],
  nameProblems: ({ state }) =>
    repeatedNames(
      'states',
      state.map(({ name }) => name),
    ),
  multiplies: 'each',
  state: {
    options: optionsOf,
    rules: { onTimer: { why: 'timers in state would have nothing to call', fits: true } },
    hasEra: true,
    fromWhole: processFromWhole,
    adapt: (head, { gone }) => {
      const { layouts, ...others } = head as ProcessHead;
      return { ...others, layouts: withoutNames(layouts, gone) };
    },
    migrated: (text, { layouts }: ProcessHead, calls) => {
      const encoded = JSON.parse(text) as EncodedKeyState;
      const names = layouts[encoded[0]] ?? [];
      return JSON.stringify(
        migratedKeyState(encoded, (name) => (names.includes(name) ? calls.get(name) : undefined)),
      );
    },
    migrateSlot,
  },
  rests: true,
  keyed: { reads: () => ({ values: true, origins: true }) },
  operator: (node, parts) => {
    const { call } = parts;
    return new ProcessOperator(
      node,
      {
        key: call('key'),
        onElement: call('onElement'),
        onTimer: node.timers ? call('onTimer') : undefined,
      },
      parts,
    );
  },
};

function optionsOf({ state, timers }: ProcessNode): Options {
  const parts = state.flatMap(
    ({ name, type, ttlMs, refresh }): readonly (readonly [string, OptionValue])[] => [
      [partOption('state', name), type],
      [`ttl of ${name}`, ttlMs],
      [`refresh of ${name}`, refresh],
    ],
  );
  return { onTimer: timers, ...Object.fromEntries(parts), ...versionOptions(state) };
}
