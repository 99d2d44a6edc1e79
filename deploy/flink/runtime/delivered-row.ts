/**
 * A row as Firehose delivers it from a job: the engine's own line (enrich/firehose/row-line.ts) but
 * for its identity and order, which the job adds as the last members.
 *
 * Invariant: a row that is not delivered goes beside it, in the form of the connector there: one that
 * is too large for a record, or whose folders the delivery stream cannot name as a table does.
 */
import { firehoseRecordMaxBytes } from '../../../enrich/firehose/pack-rows.ts';
import { rowMembers } from '../../../enrich/firehose/row-line.ts';
import { rowIdTexts } from '../../../enrich/row-id.ts';
import type { SinkNode } from '../../../topology/operators/sink/node.ts';
import type { TableDefinition } from '../../../topology/operators/sink/table-definition.ts';
import type { NodeRuntime } from './node-runtime.ts';
import type { TakeRow } from './sink.ts';

/** The key of rows that are delivered; a folder, or no key, is of one beside them. */
const lineKey = 'line';

/** `,"row_id":"` and 32 digits, the line feed, and `,"row_order":` with 16 digits. */
const identityBytes = 44 + 1;
const orderBytes = 29;

/** Delivers rows; `beside` takes those that cannot be. */
export function deliveredTaker(
  { id, sink }: SinkNode,
  node: NodeRuntime,
  beside: TakeRow,
): TakeRow {
  const { table, schema, partitionBy, upsert } = sink as TableDefinition;
  const { name, owner } = node.plan;
  const membersOf = rowMembers({ schema, partitionBy, owner, sink: `${name}/${table}` });
  const idTexts = rowIdTexts(`${name}/${table}`);
  const lineMaxBytes =
    firehoseRecordMaxBytes - identityBytes - (upsert === undefined ? 0 : orderBytes);
  return (value, timestamp, origin) => {
    const found = membersOf(value, timestamp, origin?.inexact);
    if ('message' in found) {
      const { message, pointer } = found;
      const code = 'row-mismatch';
      node.reject({ node: id, code, message, pointer, schema: null, value, origin });
      return undefined;
    }
    const line = JSON.stringify(found.members);
    if (!found.isPlain || !fits(line, lineMaxBytes)) return beside(value, timestamp, origin);
    const batch = { values: [value], timestamps: [timestamp], origins: [origin] };
    return { key: lineKey, read: idTexts(batch)(0), value: line, origin: '' };
  };
}

/** Bytes are counted only where characters do not decide: a unit has 3 at most. */
function fits(line: string, maxBytes: number): boolean {
  return line.length * 3 <= maxBytes || Buffer.byteLength(line) <= maxBytes;
}
