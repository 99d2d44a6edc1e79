/**
 * What a sink takes: rows as the engine checks them (topology/operators/sink/), the writes that a
 * graph's function makes, and all that goes to the rejected table, as rejections.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { Provenance } from '../../../topology/nodes/sink.ts';
import { rejectThrown } from '../../../topology/operators/operator.ts';
import type { SinkNode } from '../../../topology/operators/sink/node.ts';
import { rejectedReason } from '../../../topology/operators/sink/rejected.ts';
import { sinkKindOf } from '../../../topology/operators/sink/sinks.ts';
import { isLateOutput } from '../../../topology/plan/plan.ts';
import { writesFrom } from '../../../topology/runtime/job-sinks.ts';
import { deliveredTaker } from './delivered-row.ts';
import type { NodeRuntime } from './node-runtime.ts';
import { columnsTaker } from './table.ts';
import type { SentElement } from './wire.ts';
import { originLine } from './wire.ts';

/** Gives what is sent of a row; nothing where it is rejected. */
export type TakeRow = (
  value: unknown,
  timestamp: number,
  origin: Provenance | undefined,
) => Pick<SentElement, 'key' | 'read' | 'value' | 'origin'> | undefined;

/**
 * How the rows of a sink are sent, as its connector wants them. `rows`: a row as JSON. `columns`:
 * as table.ts has them. `delivered`: as delivered-row.ts has them, and behind it how the rows are
 * sent that are not.
 */
type PlainForm = 'rows' | 'columns';
export type SinkForm = PlainForm | `delivered ${PlainForm}`;

const delivered = 'delivered ';

export function takerOf(id: string, node: NodeRuntime): TakeRow {
  const sink = node.plan.nodes.find((one) => one.id === id) as SinkNode;
  const kind = sinkKindOf(sink.sink);
  if (kind.isRejected === true) return rejecterOf(sink, node);
  const form = node.formOf(id);
  if (!form.startsWith(delivered)) return takerIn(form as PlainForm, sink, node);
  return deliveredTaker(sink, node, takerIn(form.slice(delivered.length) as PlainForm, sink, node));
}

function takerIn(form: PlainForm, sink: SinkNode, node: NodeRuntime): TakeRow {
  if (form === 'columns') return columnsTaker(sink, node);
  const { id } = sink;
  const kind = sinkKindOf(sink.sink);
  const writes =
    kind.slots?.includes('writes') === true ? node.parts(id).call('writes') : undefined;
  const check = kind.check?.(sink.sink, node.plan.owner);
  return (value, timestamp, origin) => {
    try {
      const row = writes === undefined ? value : writesFrom(writes, value);
      const problem = check?.(row, timestamp);
      if (problem === undefined) return { value: JSON.stringify(row), origin: originLine(origin) };
      const { message, pointer } = problem;
      const code = 'row-mismatch';
      node.reject({ node: id, code, message, pointer, schema: null, value: row, origin });
    } catch (thrown) {
      rejectThrown(node.reject, id, thrown, value, origin);
    }
    return undefined;
  };
}

function rejecterOf({ id, inputs }: SinkNode, node: NodeRuntime): TakeRow {
  const from = present(inputs[0], 'an input');
  const reason = rejectedReason(from.port, isLateOutput(node.plan, from));
  return (value, _timestamp, origin) => {
    node.reject({ node: id, ...reason, value, origin });
    return undefined;
  };
}
