/**
 * Rows of the rejected table as a job on Flink writes them: made of a rejection by the engine's own
 * code (topology/runtime/rejections.ts, enrich/rejected/). The job counts how often each is seen.
 */
import { rejectedSchema } from '../../../enrich/rejected/rejected-schema.ts';
import { rejectedPartitionBy, storable } from '../../../enrich/rejected/storable.ts';
import { assert, present } from '../../../schemas/kernel/assert.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import type { PartitionColumn } from '../../../schemas/partition.ts';
import { partitioner } from '../../../schemas/partition.ts';
import type { RejectedEvent } from '../../../schemas/rejection.ts';
import { rejectionIdentityOf } from '../../../schemas/rejection.ts';
import type { Rejection } from '../../../topology/operators/operator.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import { Rejections } from '../../../topology/runtime/rejections.ts';
import type { EncodedOrigin } from '../../../topology/state/origin.ts';
import { Table } from './table.ts';
import { originOf } from './wire.ts';

const table = { table: 'rejected', schema: rejectedSchema, partitionBy: rejectedPartitionBy };
/** Last in a row, and the job's: how often it was seen, first and last. */
const countedColumns = ['seen', 'first_seen', 'last_seen'];

type SentRejection = Omit<Rejection, 'node' | 'origin'> & {
  readonly operator: string;
  readonly origin: EncodedOrigin | null;
};

export class RejectedTable extends Table {
  readonly #plan: Plan;
  readonly #folderOf = partitioner(rejectedPartitionBy);
  readonly #cells = Object.keys(rejectedSchema['properties'] as object).filter(
    (name) =>
      !rejectedPartitionBy.includes(name as PartitionColumn) && !countedColumns.includes(name),
  );

  constructor(plan: Plan) {
    super(table, plan.name);
    this.#plan = plan;
  }

  /**
   * Of a rejection (wire.ts) that is told at `nowMs`: its identity, the row's folder, when it was
   * received in epoch ms, and its cells but for the counted ones, a line each.
   */
  row(text: string, nowMs: number): string {
    const { operator, origin, ...reason } = JSON.parse(text) as SentRejection;
    const rejections = new Rejections(this.#plan, manualClock(nowMs));
    rejections.reject({ ...reason, node: operator, origin: originOf(origin) });
    const made = present(rejections.take().values[0] as RejectedEvent, 'a rejected event');
    const event = storable(made, nowMs);
    const receivedMs = Date.parse(event.receivedtime);
    const folder = this.#folderOf(receivedMs, event.team, event.app);
    assert(typeof folder === 'string', 'a storable event has a folder');
    const cells = this.#cells.map((name) =>
      name === 'receivedtime' ? receivedMs : event[name as keyof RejectedEvent],
    );
    const identity = rejectionIdentityOf(event);
    return `${identity}\n${folder}\n${receivedMs}\n${JSON.stringify(cells)}\n`;
  }
}
