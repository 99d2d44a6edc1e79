/**
 * Puts each element together with what is found for its key: in a file's table, at once, or by an
 * asynchronous call, whose elements wait in state.
 */
import { assert } from '../../../schemas/kernel/assert.ts';
import { isInherited } from '../../nodes/names.ts';
import type { Problem } from '../../nodes/node.ts';
import { keyTextOf } from '../key-text.ts';
import type { Kind } from '../kind.ts';
import type { Options } from '../kind-state.ts';
import type { NodeParts } from '../node-parts.ts';
import type { Link } from '../stateless.ts';
import { mapping } from '../stateless.ts';
import type { LookupFunction } from './bounded-calls.ts';
import { buildLookup } from './build.ts';
import { lookupDocs } from './docs.ts';
import { lookupProblems } from './lookup-problems.ts';
import type { LookupSnapshot } from './lookup-snapshot.ts';
import { lookupElements } from './lookup-snapshot.ts';
import type { LookupNode } from './node.ts';
import { LookupOperator } from './operator.ts';

const connectorPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const lookupKind: Kind<LookupNode> = {
  name: 'lookup',
  docs: lookupDocs,
  build: buildLookup,
  summary: ({ lookup }) =>
    lookup.from === 'file' ? `lookup in ${lookup.file}` : `lookup by ${lookup.from} ${lookup.name}`,
  slots: ({ lookup }) =>
    lookup.from === 'function' ? ['by', 'call', 'combine'] : ['by', 'combine'],
  schemas: ({ lookup }) => (lookup.from === 'file' ? [lookup.schema.document] : []),
  problems: ({ lookup }) => lookupProblems(lookup),
  nameProblems,
  passesPanes: true,
  state: {
    isKept: ({ lookup }) => lookup.from !== 'file',
    options: optionsOf,
    whenGone: (state) => {
      const waiting = state === undefined ? 0 : [...lookupElements(state as LookupSnapshot)].length;
      return waiting === 0
        ? undefined
        : `was removed: ${waiting} elements that wait in it for an answer would be lost`;
    },
    elements: (state) => lookupElements(state as LookupSnapshot),
  },
  link: fileLink,
  operator: (node, parts) => {
    const { lookup } = node;
    assert(lookup.from !== 'file', 'a table is looked up without waiting');
    const { call, connector, counts, reject, host, targets } = parts;
    const asked = lookup.from === 'function' ? (call('call') as LookupFunction) : connector();
    const functions = { by: call('by'), call: asked, combine: call('combine') };
    return new LookupOperator(node.id, lookup, functions, counts, reject, host, targets(lookup));
  },
};

function nameProblems({ lookup }: LookupNode): readonly Problem[] {
  if (lookup.from !== 'connector') return [];
  if (connectorPattern.test(lookup.name) && !isInherited(lookup.name)) return [];
  const rule =
    '1 to 64 of A-Z a-z 0-9 . _ -, starting with a letter or digit, and not a member of every object';
  return [
    {
      message: `the name of a connector must be ${rule}; not '${lookup.name}'`,
      fix: 'rename it, also under lookups of the configuration',
    },
  ];
}

function optionsOf({ lookup }: LookupNode): Options {
  if (lookup.from === 'file') return {};
  return {
    from: lookup.from,
    name: lookup.name,
    'cache.maxEntries': lookup.cacheMaxEntries,
    'cache.ttl': lookup.cacheTtlMs,
    capacity: lookup.capacity,
    timeout: lookup.timeoutMs,
    'retry.attempts': lookup.attempts,
    order: lookup.order,
    whenFailing: lookup.whenFailing,
  };
}

function fileLink({ id }: LookupNode, parts: NodeParts): Link {
  const rows = parts.table();
  const by = parts.call('by');
  const combine = parts.call('combine');
  const found = (value: unknown): unknown => rows.get(keyTextOf(by(value), undefined));
  const call = parts.returning((value: unknown) => combine(value, found(value)));
  return mapping(id, call, parts, found);
}
