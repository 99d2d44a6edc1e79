/**
 * Adapts an operator's state to a changed definition that its rules allow: parts that are stored by
 * position move to their new positions, and parts that were dropped by name are removed. Pure.
 */
import { kindNamed } from '../operators/kinds.ts';
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
  const adapt = kindNamed(kind)?.state?.adapt;
  if (adapt === undefined) return state;
  const gone = Object.keys(was.options).flatMap((option) => {
    const name = partOf(option)?.name;
    return name === undefined || (is.options[option] === was.options[option] && !dropped.has(name))
      ? []
      : [name];
  });
  return adapt(state, {
    gone: new Set(gone),
    anchorsBefore: was.inputs.map(anchorOf),
    anchors: is.inputs.map(anchorOf),
  });
}

const anchorOf = ({ anchor }: Definition['inputs'][number]): string => anchor;
