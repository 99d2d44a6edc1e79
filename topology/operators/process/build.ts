/**
 * The node of a `process`, which an author writes with the state of dsl/state.ts.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import type { ProcessOptions, StateDefinition } from '../../dsl/state.ts';
import { outPort } from '../../nodes/node.ts';
import type { StateDeclaration } from '../../state/key-state.ts';
import type { KeyedCall, Made, NodeBuilder } from '../node-builder.ts';
import { versionOf } from '../state-version.ts';
import type { ProcessNode } from './node.ts';
import { migrateSlot } from './node.ts';

type AnyProcess = ProcessOptions<
  unknown,
  Key,
  Readonly<Record<string, StateDefinition<unknown>>>,
  unknown
>;

export function buildProcess({ builder, from, key, given }: KeyedCall): Made {
  const [id, asked] = given as readonly [string, AnyProcess];
  const example = 'process(id, { state, onElement })';
  const { state: declared, onElement, onTimer } = builder.given(id, 'options', asked, example);
  const named = builder.given(id, 'state', declared, 'state: {} where it keeps none');
  builder.namesOf(id, 'state', named);
  const state = Object.entries(named).map(([name, one]) => declarationOf(builder, id, name, one));
  const node: ProcessNode = {
    id,
    kind: 'process',
    inputs: [from],
    outputs: [outPort],
    state,
    timers: onTimer !== undefined,
  };
  const migrates = Object.fromEntries(
    state
      .filter(({ version }) => version !== undefined)
      .map(({ name }) => [migrateSlot(name), named[name]?.options.migrate] as const),
  );
  builder.add(node, { key, onElement, onTimer, ...migrates });
  return { id };
}

function declarationOf(
  builder: NodeBuilder,
  id: string,
  name: string,
  declared: StateDefinition<unknown>,
): StateDeclaration {
  const { type, options } = builder.given(id, `state '${name}'`, declared, `${name}: value()`);
  const given = builder.given(id, `state '${name}'`, options, `${name}: value()`);
  const { ttl, refresh } = given;
  return {
    name,
    type,
    ttlMs: ttl === undefined ? 0 : builder.lasting(id, `state.${name}.ttl`, ttl, 1),
    refresh: refresh ?? 'write',
    ...versionOf(builder, id, `its state '${name}'`, given),
  };
}
