/**
 * Keeps an element of every keyed input of a running job, so that checkpoints show what its key
 * function returned.
 */
import { keySlotsOf, takeExample } from '../checkpoint/key-examples.ts';
import type { KeyExample, Manifest } from '../checkpoint/manifest.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import type { Topology } from '../plan/plan.ts';
import type { Dag } from './dag.ts';

interface KeyedInput {
  readonly node: string;
  readonly slot: string;
  readonly batch: Batch;
  /** The element that is to be the example. */
  value: { readonly of: unknown } | undefined;
  isDone: boolean;
  taken: KeyExample | undefined;
}

export class KeyExamples {
  /** Its functions may be watched: one that does not return is noticed here, too. */
  readonly #topology: Topology;
  readonly #inputs: readonly KeyedInput[];
  /** Those that have no example of this run yet. */
  #open: readonly KeyedInput[];

  constructor(topology: Topology, dag: Dag, before: Manifest['keyExamples']) {
    this.#topology = topology;
    this.#inputs = dag.stages.flatMap(({ nodes: [node], inputs }) =>
      node === undefined
        ? []
        : keySlotsOf(node).flatMap((slot, index): readonly KeyedInput[] => {
            const batch = inputs[index];
            const taken = Object.hasOwn(before, node.id)
              ? before[node.id]?.find((example) => example.slot === slot)
              : undefined;
            return batch === undefined
              ? []
              : [{ node: node.id, slot, batch, value: undefined, isDone: false, taken }];
          }),
    );
    this.#open = this.#inputs;
  }

  /**
   * After a turn, before its batches are emptied: the first element of each input that has no
   * example yet.
   */
  look(): void {
    for (const input of this.#open) {
      const { batch } = input;
      for (let i = 0; input.value === undefined && i < batch.length; i++) {
        if (batch.kinds[i] === rowKinds.element) input.value = { of: batch.values[i] };
      }
    }
  }

  /** By node id. An element that gives no example leaves the one of the run before. */
  taken(): Readonly<Record<string, readonly KeyExample[]>> {
    for (const input of this.#open) {
      const { value, node, slot } = input;
      if (value === undefined) continue;
      const example = takeExample(this.#topology, node, slot, value.of);
      input.value = undefined;
      input.isDone = example !== undefined;
      input.taken = example ?? input.taken;
    }
    this.#open = this.#open.filter(({ isDone }) => !isDone);
    const byNode: Record<string, KeyExample[]> = {};
    for (const { node, taken } of this.#inputs)
      if (taken !== undefined) (byNode[node] ??= []).push(taken);
    return byNode;
  }
}
