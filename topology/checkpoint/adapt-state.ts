/**
 * An operator's state under a changed definition that its rules allow: what is by place in it goes
 * to its new place, and parts that were dropped by name leave it. Pure.
 */
import type { ProcessSnapshot } from '../operators/process.ts';
import type { WindowSnapshot } from '../operators/window-state.ts';
import { withoutAggregates } from '../operators/window-state.ts';
import type { MergeSnapshot } from '../time/merge.ts';
import { withInputs } from '../time/merge.ts';
import type { Definition } from './definition.ts';
import { partOf } from './definition.ts';

/** `dropped`: names of its parts. */
export function adaptState(
  kind: string,
  state: unknown,
  was: Definition,
  is: Definition,
  dropped: ReadonlySet<string>,
): unknown {
  const gone = Object.keys(was.options).flatMap((option) => {
    const name = partOf(option)?.name;
    return name === undefined || (is.options[option] === was.options[option] && !dropped.has(name))
      ? []
      : [name];
  });
  switch (kind) {
    case 'union':
      return withInputs(state as MergeSnapshot, was.inputs.map(anchorOf), is.inputs.map(anchorOf));
    case 'window':
      return gone.length === 0 ? state : withoutAggregates(state as WindowSnapshot, new Set(gone));
    case 'process':
      return gone.length === 0 ? state : withoutStates(state as ProcessSnapshot, new Set(gone));
    default:
      return state;
  }
}

const anchorOf = ({ anchor }: Definition['inputs'][number]): string => anchor;

function withoutStates(state: ProcessSnapshot, gone: ReadonlySet<string>): ProcessSnapshot {
  return {
    ...state,
    keys: state.keys.map(([key, entries, ...timers]) => {
      const kept = Object.entries(entries).filter(([name]) => !gone.has(name));
      return [key, Object.fromEntries(kept), ...timers] as const;
    }),
  };
}
