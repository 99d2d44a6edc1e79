/**
 * Builds the node of a look-up.
 */
import type { Key } from '../../../schemas/kernel/key.ts';
import type {
  AsyncLookup,
  AsyncLookupOptions,
  FileTable,
  LookupOptions,
} from '../../dsl/lookups.ts';
import { outPort } from '../../nodes/node.ts';
import type { Made, NodeBuilder, StreamCall } from '../node-builder.ts';
import type { LookupCall, LookupFile, LookupNode } from './node.ts';

const defaultCapacity = 64;
const defaultTimeout = '5s';
const defaultAttempts = 3;

/** What an author gives a look-up. */
type GivenLookup = readonly [
  id: string,
  table: FileTable<unknown> | AsyncLookup<never, unknown>,
  options: LookupOptions<never, Key> & AsyncLookupOptions,
  combine: unknown,
];

export function buildLookup({ builder, from, given: call }: StreamCall): Made {
  const [id, table, given, combine] = call as unknown as GivenLookup;
  const example = 'fileTable(...), asyncLookup(...) or connector(...)';
  const lookup = builder.given(id, 'look-up', table, example);
  const options = builder.given(id, 'options', given, '{ by: (value) => value.key }');
  const data =
    lookup.from === 'file' ? lookupFile(lookup) : lookupCall(builder, id, lookup, options);
  const own = lookup.from === 'function' ? { call: lookup.call } : {};
  const node: LookupNode = { id, kind: 'lookup', inputs: [from], outputs: [outPort], lookup: data };
  builder.add(node, { by: options.by, combine, ...own });
  return { id };
}

function lookupFile(table: FileTable<unknown>): LookupFile {
  const { file, key, schema, whenChanged } = table;
  return { from: 'file', file, key, schema, whenChanged };
}

function lookupCall(
  builder: NodeBuilder,
  id: string,
  lookup: AsyncLookup<never, unknown>,
  options: AsyncLookupOptions,
): LookupCall {
  const { cache } = options;
  if (typeof lookup.name !== 'string')
    builder.problems.push({
      node: id,
      message: 'its look-up is not a look-up',
      fix: 'write fileTable(...), asyncLookup(...) or connector(...)',
    });
  return {
    from: lookup.from,
    name: lookup.name,
    cacheMaxEntries: cache?.maxEntries ?? 0,
    cacheTtlMs: cache === undefined ? 0 : builder.lasting(id, 'cache.ttl', cache.ttl),
    capacity: options.capacity ?? defaultCapacity,
    timeoutMs: builder.duration(id, 'timeout', options.timeout ?? defaultTimeout, 1),
    attempts: options.retry?.attempts ?? defaultAttempts,
    order: options.order ?? 'ordered',
    whenFailing: options.whenFailing ?? 'hold',
  };
}
