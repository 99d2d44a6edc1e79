/**
 * A segment at work: nodes without keyed state that are fused, run by the engine's own operators
 * (topology/operators/), and the keys of the keyed nodes behind them.
 *
 * Invariants:
 * 1. What a row meets here is what it meets in the engine: the same operators, in the same order,
 *    with the same values frozen.
 * 2. A rejection of a key is the keyed node's.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { outPort } from '../../../topology/nodes/node.ts';
import type { Provenance } from '../../../topology/nodes/sink.ts';
import { Batch, rowKinds } from '../../../topology/operators/batch.ts';
import { keyTextOf } from '../../../topology/operators/key-text.ts';
import type { PlanNode } from '../../../topology/operators/kinds.ts';
import { isStateful, kindOf } from '../../../topology/operators/kinds.ts';
import type { Call } from '../../../topology/operators/node-parts.ts';
import type { Operator } from '../../../topology/operators/operator.ts';
import { rejectThrown } from '../../../topology/operators/operator.ts';
import { StatelessOperator } from '../../../topology/operators/stateless.ts';
import type { Plan } from '../../../topology/plan/plan.ts';
import type { Freezes } from '../../../topology/runtime/frozen-values.ts';
import { freezeElements, frozenPorts } from '../../../topology/runtime/frozen-values.ts';
import type { WatermarkSnapshot } from '../../../topology/time/watermark.ts';
import { encodeTime } from '../../../topology/time/watermark.ts';
import type { SegmentOperator, SegmentOutput } from '../plan.ts';
import type { NodeRuntime } from './node-runtime.ts';
import type { TakeRow } from './sink.ts';
import { takerOf } from './sink.ts';
import { mergedSnapshot, SplitReaders } from './split-readers.ts';
import { aggregatesOf, readText } from './window.ts';
import { controlText, elementText, originText, readRows, saidText } from './wire.ts';

interface Stage {
  readonly operator: Operator;
  readonly input: Batch;
  readonly out: readonly Batch[];
  readonly frozen: readonly Batch[];
}

interface Output extends SegmentOutput {
  readonly number: number;
  readonly batch: Batch;
  readonly keyOf: Call | undefined;
  readonly readOf: ((value: unknown) => string) | undefined;
  readonly take: TakeRow | undefined;
}

export class Segment {
  readonly #node: NodeRuntime;
  /** That of event time, if it has one. */
  readonly #timed: Stage | undefined;
  #readers: SplitReaders | undefined;
  readonly #entry = new Batch();
  readonly #freezesEntry: boolean;
  readonly #freezes: Freezes;
  readonly #batches: Batch[] = [];
  readonly #stages: Stage[] = [];
  readonly #outputs: readonly Output[];

  constructor(operator: SegmentOperator, node: NodeRuntime) {
    this.#node = node;
    this.#freezes = node.freezes;
    const { plan } = node;
    const byId = new Map(plan.nodes.map((one) => [one.id, one]));
    const nodes = operator.nodes.map((id) => present(byId.get(id), id));
    const outOf = new Map<string, Batch>();
    const batchOf = (from: { readonly node: string; readonly port: string }): Batch =>
      outOf.get(`${from.node}\n${from.port}`) ?? this.#entry;
    const fused = new Set<string>();
    for (const first of nodes) {
      if (fused.has(first.id)) continue;
      const chain = isLinked(first) ? chainFrom(first, plan, operator.nodes) : [first];
      for (const { id } of chain) fused.add(id);
      const last = present(chain.at(-1), 'a node');
      const out = last.outputs.map((port) => {
        const batch = new Batch();
        this.#batches.push(batch);
        outOf.set(`${last.id}\n${port}`, batch);
        return batch;
      });
      const run = operatorOf(chain, node);
      const frozen = frozenPorts(plan, last, node.freezes).map((port) =>
        present(outOf.get(`${last.id}\n${port}`), port),
      );
      const input = batchOf(present(first.inputs[0], 'an input'));
      this.#stages.push({ operator: run, input, out, frozen });
    }
    this.#timed = operator.timed ? this.#stages[0] : undefined;
    this.#outputs = operator.outputs.map((output, number) => ({
      ...output,
      number,
      batch: batchOf(output.from),
      keyOf:
        output.key === undefined ? undefined : node.parts(output.key.node).call(output.key.slot),
      readOf: output.reads === undefined ? undefined : readerOf(output, node),
      take: output.sink === undefined ? undefined : takerOf(output.sink, node),
    }));
    const readers = [
      ...this.#stages.map(({ input }) => input),
      ...this.#outputs.map((o) => o.batch),
    ];
    this.#freezesEntry =
      node.freezes === 'all' || readers.filter((batch) => batch === this.#entry).length > 1;
  }

  /** How many readers of splits are in front of event time. */
  expect(places: number): void {
    const watermarks = this.#timed?.operator.watermarks;
    if (watermarks !== undefined) this.#readers = new SplitReaders(watermarks, places);
  }

  /** Rows in, rows out (wire.ts). */
  run(text: string): string {
    readRows(text, this.#entry);
    this.#readers?.prepare(this.#entry);
    if (this.#freezesEntry) freezeElements(this.#entry, this.#freezes);
    let sent = '';
    try {
      for (const { operator, input, out, frozen } of this.#stages) {
        if (input.length > 0) operator.process(0, input, out);
        for (const batch of frozen) freezeElements(batch, this.#freezes);
      }
      for (const output of this.#outputs) sent += this.#send(output);
      // What is said of time ends a batch of rows.
      sent += this.#signals();
    } finally {
      this.#entry.clear();
      for (const batch of this.#batches) batch.clear();
    }
    return this.#node.takeRejections() + sent;
  }

  snapshot(): string {
    return JSON.stringify(this.#timed?.operator.snapshot?.() ?? null);
  }

  /** What it said last of time, for what is behind it after a restore. */
  said(): string {
    const watermarks = this.#timed?.operator.watermarks;
    return watermarks === undefined ? '' : saidText(watermarks.watermark, watermarks.idle);
  }

  /** Of what all parts of the operator had, as a list. */
  restore(text: string): void {
    const parts = (JSON.parse(text) as (WatermarkSnapshot | null)[]).filter(
      (part) => part !== null,
    );
    if (parts.length > 0) this.#timed?.operator.restore?.(mergedSnapshot(parts) as never);
  }

  #send(output: Output): string {
    const { batch, number, controls } = output;
    let sent = '';
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i] as (typeof batch.kinds)[number];
      const at = batch.timestamps[i] as number;
      if (kind === rowKinds.element)
        sent += this.#element(output, batch.values[i], at, batch.origins[i]);
      else if (controls) sent += controlText(number, kind, at, batch.values[i]);
    }
    return sent;
  }

  #element(output: Output, value: unknown, at: number, origin: Provenance | undefined): string {
    const { number, key, keyOf, readOf, take } = output;
    if (take !== undefined) {
      const row = take(value, at, origin);
      return row === undefined ? '' : elementText({ ...row, output: number, at });
    }
    let keyText: string | undefined;
    let read: string | undefined;
    if (key !== undefined && keyOf !== undefined) {
      try {
        keyText = keyTextOf(keyOf(value), origin);
        read = readOf?.(value);
      } catch (thrown) {
        return this.#unkeyed(output, key.node, thrown, value, at, origin);
      }
    }
    return elementText({
      output: number,
      at,
      key: keyText,
      read,
      value: output.value ? JSON.stringify(value) : undefined,
      origin: originText(origin),
    });
  }

  /** A key that there is not: a deduplicate looks first whether the element is late. */
  #unkeyed(
    { number }: Output,
    node: string,
    thrown: unknown,
    value: unknown,
    at: number,
    origin: Provenance | undefined,
  ): string {
    rejectThrown(this.#node.reject, node, thrown, value, origin);
    if (this.#node.kindOf(node) !== 'deduplicate') return '';
    const rejection = this.#node.takeRejections().slice(0, -1);
    return elementText({
      output: number,
      at,
      key: '',
      read: rejection,
      value: JSON.stringify(value),
      origin: originText(origin),
    });
  }

  #signals(): string {
    const batch = this.#timed?.out[0];
    if (batch === undefined) return '';
    let said = '';
    for (let i = 0; i < batch.length; i++) {
      switch (batch.kinds[i]) {
        case rowKinds.watermark:
          said += `W${encodeTime(batch.timestamps[i] as number)}\n`;
          break;
        case rowKinds.idle:
          said += 'I\n';
          break;
        case rowKinds.active:
          said += 'A\n';
          break;
        default:
          break;
      }
    }
    return said;
  }
}

function isLinked(node: PlanNode): boolean {
  return kindOf(node).link !== undefined && !isStateful(node);
}

function operatorOf(chain: readonly PlanNode[], node: NodeRuntime): Operator {
  const [first] = chain;
  if (first !== undefined && isLinked(first))
    return new StatelessOperator(
      chain.map((one) => present(kindOf(one).link, one.kind)(one, node.parts(one.id))),
    );
  const alone = present(first, 'a node');
  return present(kindOf(alone).operator, alone.kind)(alone, node.parts(alone.id));
}

/** The nodes of the segment from `first` on, as long as each feeds only the next. */
function chainFrom(
  first: PlanNode,
  { nodes }: Plan,
  among: readonly string[],
): readonly PlanNode[] {
  const chain = [first];
  for (let last = first; ; ) {
    const [next, ...others] = nodes.filter((one) =>
      one.inputs.some((input) => input.node === last.id && input.port === outPort),
    );
    const isNext = next !== undefined && others.length === 0 && among.includes(next.id);
    if (!isNext || !isLinked(next)) return chain;
    chain.push(next);
    last = next;
  }
}

/** What the aggregates of a window read of an element. */
function readerOf(output: SegmentOutput, node: NodeRuntime): (value: unknown) => string {
  const id = present(output.key, 'a key').node;
  const aggregates = aggregatesOf(node, id);
  return (value) => readText(aggregates, value);
}
