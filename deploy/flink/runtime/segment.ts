/**
 * A segment at work: nodes without keyed state that are fused, run by the engine's own operators
 * (topology/operators/), and the keys of the keyed nodes behind them.
 *
 * Invariants:
 * 1. What a row meets here is what it meets in the engine: the same operators, in the same order,
 *    with the same values frozen.
 * 2. A rejection of a key is the keyed node's.
 * 3. A value that no node on its way may change goes out by its number. One that several outputs
 *    send is written once: it is frozen, as it has several readers.
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
import { controlText, elementText, originLine, readRows, saidText } from './wire.ts';

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
  /** Whether all nodes before it give on the values that they are given. */
  readonly passes: boolean;
  /** Of a batch that another output sends too: the texts of its values, as far as they are made. */
  readonly texts: (string | undefined)[] | undefined;
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
  readonly #passes: boolean;
  readonly #texts: (string | undefined)[][] = [];
  /** The elements of a batch by their values, where some are given on. */
  readonly #numbers = new Map<unknown, number>();
  /** What it knew of time before the run. */
  #before: unknown;

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
    const batches = operator.outputs.map(({ from }) => batchOf(from));
    const shared = this.#sharedTexts(batches);
    this.#outputs = operator.outputs.map((output, number) => {
      const batch = present(batches[number], 'a batch');
      const passes = passesTo(output.from.node, operator.nodes, plan);
      return { ...outputOf(output, node), number, batch, passes, texts: shared.get(batch) };
    });
    this.#passes = this.#outputs.some(({ passes, take }) => passes && take === undefined);
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

  /** Of batches that several outputs send. */
  #sharedTexts(batches: readonly Batch[]): ReadonlyMap<Batch, (string | undefined)[]> {
    const several = new Set(batches.filter((one, index) => batches.indexOf(one) !== index));
    const shared = new Map([...several].map((batch) => [batch, [] as (string | undefined)[]]));
    this.#texts.push(...shared.values());
    return shared;
  }

  /** Rows and their origins in, rows out (wire.ts). */
  run(text: string, origins: string): string {
    this.#before = this.#timed?.operator.snapshot?.();
    readRows(text, origins, this.#entry);
    this.#readers?.prepare(this.#entry);
    if (this.#passes) this.#number();
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
      this.#clear();
    }
    return this.#node.takeRejections() + sent;
  }

  #clear(): void {
    this.#entry.clear();
    for (const batch of this.#batches) batch.clear();
    for (const texts of this.#texts) texts.length = 0;
    this.#numbers.clear();
  }

  /** As if the last run had not been. */
  undo(): void {
    this.#clear();
    if (this.#before !== undefined) this.#timed?.operator.restore?.(this.#before as never);
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
      if (kind === rowKinds.element) sent += this.#element(output, i, at);
      else if (controls) sent += controlText(number, kind, at, batch.values[i]);
    }
    return sent;
  }

  #number(): void {
    const { kinds, values, length } = this.#entry;
    let number = 0;
    for (let i = 0; i < length; i++)
      if (kinds[i] === rowKinds.element) this.#numbers.set(values[i], number++);
  }

  /** The value as a line. */
  #value({ passes, texts }: Output, value: unknown, index: number): string {
    if (passes) {
      const number = this.#numbers.get(value);
      if (number !== undefined) return `@${number}`;
    }
    if (texts === undefined) return JSON.stringify(value);
    return (texts[index] ??= JSON.stringify(value));
  }

  #element(output: Output, index: number, at: number): string {
    const { number, batch, key, keyOf, readOf, take } = output;
    const value = batch.values[index];
    const origin = batch.origins[index];
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
      value: output.value ? this.#value(output, value, index) : undefined,
      origin: originLine(origin),
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
      origin: originLine(origin),
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

function outputOf(
  output: SegmentOutput,
  node: NodeRuntime,
): SegmentOutput & Pick<Output, 'keyOf' | 'readOf' | 'take'> {
  const { key, reads, sink } = output;
  return {
    ...output,
    keyOf: key === undefined ? undefined : node.parts(key.node).call(key.slot),
    readOf: reads === undefined ? undefined : readerOf(output, node),
    take: sink === undefined ? undefined : takerOf(sink, node),
  };
}

/** Whether elements come from the segment's input to this node's output as they are. */
function passesTo(id: string, among: readonly string[], plan: Plan): boolean {
  if (!among.includes(id)) return true;
  const node = present(
    plan.nodes.find((one) => one.id === id),
    id,
  );
  const passes = node.kind === 'validate' || kindOf(node).passesElements === true;
  return passes && passesTo(present(node.inputs[0], id).node, among, plan);
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
