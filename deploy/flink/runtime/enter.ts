/**
 * What stands behind a source of records: turns them into elements, or rejects them, by the
 * engine's own code (topology/runtime/enter.ts). What is said of splits passes, in its place among
 * the records.
 */

import type { SluiceEvent } from '../../../schemas/event.ts';
import { present } from '../../../schemas/kernel/assert.ts';
import type { RowKind } from '../../../topology/operators/batch.ts';
import { Batch, splitKey } from '../../../topology/operators/batch.ts';
import type { NodeCounts } from '../../../topology/operators/operator.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import type { SourceNode } from '../../../topology/operators/source/kind.ts';
import type { EntrySplit } from '../../../topology/runtime/enter.ts';
import { enter } from '../../../topology/runtime/enter.ts';
import type { EncodedTime } from '../../../topology/time/watermark.ts';
import { decodeTime } from '../../../topology/time/watermark.ts';
import type { NodeRuntime } from './node-runtime.ts';
import type { SentRecord } from './record-forms.ts';
import { inBytes, inText, readRecord } from './record-forms.ts';
import { controlText, elementText, originText, SentOrigin, sentRows } from './wire.ts';

/** Of the job alone: a record that is not an element yet (job/, `Elem.RECORD`). */
const recordKind = 9;

export class Enter {
  readonly #node: NodeRuntime;
  readonly #source: SourceNode;
  readonly #counts: NodeCounts = noCounts();
  readonly #batch = new Batch();
  /** By key. */
  readonly #splits = new Map<string, EntrySplit>();

  constructor(id: string, node: NodeRuntime) {
    this.#node = node;
    this.#source = present(
      node.plan.nodes.find((one) => one.id === id),
      `the source ${id}`,
    ) as SourceNode;
  }

  /** Rows in, of records and of what is said of splits; rows out (wire.ts). */
  run(text: string): string {
    let sent = '';
    for (const { kind, at, value } of sentRows(text))
      sent +=
        kind === recordKind
          ? this.#record(value as SentRecord)
          : controlText(0, kind as RowKind, decodeTime(at as EncodedTime), value);
    return this.#node.takeRejections() + sent;
  }

  #record(sent: SentRecord): string {
    const batch = this.#batch;
    const record = readRecord(sent);
    const from = this.#splitOf(sent);
    if ('text' in record) enter(inText, from, record, batch, this.#counts, this.#node.reject);
    else enter(inBytes, from, record, batch, this.#counts, this.#node.reject);
    if (batch.length === 0) return '';
    const event = batch.values[0] as SluiceEvent;
    const origin = batch.origins[0];
    const at = atOf(batch.timestamps[0] as number);
    batch.clear();
    const dataText = origin instanceof SentOrigin ? origin.text : undefined;
    const value = eventText(event, dataText);
    return elementText({ output: 0, at, value, origin: originText(origin) });
  }

  #splitOf({ route, split }: SentRecord): EntrySplit {
    const key = splitKey({ source: this.#source.id, route, split });
    const known = this.#splits.get(key);
    if (known !== undefined) return known;
    const made: EntrySplit = { source: this.#source, route, split, key };
    this.#splits.set(key, made);
    return made;
  }
}

/** A Kafka producer may put any number into a record's timestamp; the job has whole ones. */
function atOf(ms: number): number {
  return Math.min(Math.max(ms, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/**
 * An event as JSON. Its data is what the record has: it was checked, and need not be written again.
 * Only a text of several lines would be more than one line (wire.ts, invariant 1).
 */
function eventText(event: SluiceEvent, data: string | undefined): string {
  if (data === undefined || /[\n\r]/.test(data)) return JSON.stringify(event);
  const empty = JSON.stringify({ ...event, data: 0 });
  // In a string every quote is escaped: the first is the member.
  const at = empty.indexOf(dataMember);
  return `${empty.slice(0, at)},"data":${data}${empty.slice(at + dataMember.length)}`;
}

const dataMember = ',"data":0';
