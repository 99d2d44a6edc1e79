/**
 * A row as the line that Firehose delivers: its own members, then what it is partitioned by and its identity. Pure.
 *
 * | member | what |
 * |---|---|
 * | `team`, `app` | the row's own, else the topology's |
 * | `date`, `hour` | of the element's time, UTC |
 * | `row_id` | 128 bits in hexadecimal: the same for a row that comes again after a restart, so that readers keep one of them |
 *
 * Invariant: the identity is made of where the row came from (record, event), the row itself, and which of several equal ones of one batch it is;
 * never of the run.
 */
import { createHash } from 'node:crypto';
import { rowReader } from '../../schemas/columns.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { PartitionOwner } from '../../schemas/partition.ts';
import type { JsonSchema } from '../../schemas/registry.ts';
import type { ElementBatch, RefusedRow } from '../../topology/index.ts';

const idBytes = 16;
const reserved = ['date', 'hour', 'row_id'];
const firstMs = Date.parse('0000-01-01T00:00:00Z');
const lastMs = Date.parse('9999-12-31T23:59:59.999Z');

export interface LineOptions {
  readonly schema: JsonSchema;
  readonly owner: PartitionOwner;
  /** Names the sink in identities: `topology/table`. */
  readonly sink: string;
}

export interface BatchLines {
  /** With their line feeds, each with its row's index in the batch. */
  readonly lines: readonly { readonly index: number; readonly line: Buffer }[];
  readonly refused: readonly RefusedRow[];
}

/** Throws `columns-reserved` when the schema has members that are added here. */
export function lineWriter({ schema, owner, sink }: LineOptions): (batch: ElementBatch) => BatchLines {
  const reader = rowReader(schema);
  const taken = reader.columns.map(({ name }) => name).filter((name) => reserved.includes(name));
  if (taken.length > 0) {
    throw new SluiceError('columns-reserved', `rows of '${sink}' have ${taken.join(', ')}, which delivery adds`, {
      fix: `give those columns other names: ${reserved.join(', ')} are made of the element's time and origin`,
    });
  }
  return (batch) => {
    const lines: { index: number; line: Buffer }[] = [];
    const refused: RefusedRow[] = [];
    const equal = new Map<string, number>();
    for (let index = 0; index < batch.length; index++) {
      const row = batch.values[index];
      const ms = batch.timestamps[index] as number;
      const read = reader.read(row, batch.origins[index]?.inexact);
      const problem = 'message' in read ? read : dateless(ms);
      if (problem !== undefined) {
        refused.push({ index, message: problem.message, pointer: problem.pointer });
        continue;
      }
      const seed = JSON.stringify([sink, ms, originOf(batch, index), row]);
      const nth = equal.get(seed) ?? 0;
      equal.set(seed, nth + 1);
      const id = createHash('sha256')
        .update(`${nth} ${seed}`)
        .digest('hex')
        .slice(0, 2 * idBytes);
      const { team, app } = row as { readonly team?: unknown; readonly app?: unknown };
      const iso = new Date(ms).toISOString();
      const whole = {
        ...(row as object),
        team: typeof team === 'string' ? team : owner.team,
        app: typeof app === 'string' ? app : owner.app,
        date: iso.slice(0, 10),
        hour: iso.slice(11, 13),
        row_id: id,
      };
      lines.push({ index, line: Buffer.from(`${JSON.stringify(whole)}\n`) });
    }
    return { lines, refused };
  };
}

function dateless(ms: number): { readonly message: string; readonly pointer: string } | undefined {
  if (ms >= firstMs && ms <= lastMs) return undefined;
  return { message: `the element's time, ${ms} ms, has no date between the years 0 and 9999`, pointer: '' };
}

function originOf(batch: ElementBatch, index: number): readonly string[] {
  const origin = batch.origins[index];
  if (origin === undefined) return [];
  return [origin.stream, origin.path, origin.split, origin.position, origin.attributes.source, origin.attributes.id];
}
