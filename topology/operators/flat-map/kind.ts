/**
 * One element in, any number out. Each has its number in its origin.
 */
import type { NodeBase } from '../../nodes/node.ts';
import { freeze } from '../../state/freeze.ts';
import { isJson, notJson } from '../../state/json-safe.ts';
import { siblingOf } from '../../state/origin.ts';
import type { Kind } from '../kind.ts';
import type { NodeParts } from '../node-parts.ts';
import { rejectThrown } from '../operator.ts';
import type { Link } from '../stateless.ts';
import { buildStateless, functionSlot } from '../stateless.ts';

export interface FlatMapNode extends NodeBase {
  readonly kind: 'flatMap';
}

export const flatMapKind: Kind<FlatMapNode> = {
  name: 'flatMap',
  docs: {
    call: 'flatMap((value, { timestamp }) => [result, ...])',
    sql: [['`UNNEST`', '`flatMap`']],
    summary: 'One element in, any number out.',
    outputs:
      'One stream of the results, which must be JSON. An element is rejected when the function throws or returns no array.',
    state: 'None.',
    example: `
export const words = clicks.flatMap(({ page }) => page.split('/').map((word) => ({ word })));
`,
  },
  build: buildStateless,
  slots: () => [functionSlot],
  passesPanes: true,
  multiplies: 'each',
  link: ({ id }, parts) => flatMapLink(id, parts),
};

function flatMapLink(node: string, parts: NodeParts): Link {
  const { counts, reject, level } = parts;
  const call = parts.returning(parts.call(functionSlot));
  const context = { timestamp: 0 };
  const what = `what '${node}' returns`;
  return (next) => (value, timestamp, origin) => {
    counts.in++;
    let results: unknown;
    try {
      context.timestamp = timestamp;
      results = call(value, context);
    } catch (thrown) {
      counts.rejected++;
      rejectThrown(reject, node, thrown, value, origin);
      return;
    }
    if (!Array.isArray(results)) {
      counts.rejected++;
      const message = `flatMap must return an array, not ${results === null ? 'null' : typeof results}`;
      const rejected = { node, code: 'function-result', message } as const;
      reject({ ...rejected, pointer: null, schema: null, value, origin });
      return;
    }
    counts.passed++;
    // They may have parts in common.
    const several = results.length > 1;
    let index = 0;
    for (const result of results as unknown[]) {
      const own = siblingOf(origin, level, index++);
      if (!isJson(result)) {
        rejectThrown(reject, node, notJson(result, what), value, own);
        continue;
      }
      counts.emitted++;
      next(several ? freeze(result) : result, timestamp, own);
    }
  };
}
