/**
 * Keeps, of a running job, an element of every input that is keyed, for checkpoints to show what its key function gave.
 */
import { keySlotsOf, takeExample } from '../checkpoint/key-examples.ts';
import type { KeyExample, Manifest } from '../checkpoint/manifest.ts';
import type { Topology } from '../graph/graph.ts';
import type { Batch } from '../operators/batch.ts';
import { rowKinds } from '../operators/batch.ts';
import type { Dag } from './dag.ts';

interface KeyedInput {
  readonly node: string;
  readonly slot: string;
  readonly batch: Batch;
  value: unknown;
  isFresh: boolean;
  taken: KeyExample | undefined;
}

export class KeyExamples {
  readonly #topology: Topology;
  readonly #inputs: readonly KeyedInput[];

  constructor(topology: Topology, dag: Dag, before: Manifest['keyExamples']) {
    this.#topology = topology;
    this.#inputs = dag.stages.flatMap(({ nodes: [node], inputs }) =>
      node === undefined
        ? []
        : keySlotsOf(node).flatMap((slot, index): readonly KeyedInput[] => {
            const batch = inputs[index];
            const taken = Object.hasOwn(before, node.id) ? before[node.id]?.find((example) => example.slot === slot) : undefined;
            return batch === undefined ? [] : [{ node: node.id, slot, batch, value: undefined, isFresh: false, taken }];
          }),
    );
  }

  /** After a turn, before its batches are emptied: the first element of each input. */
  look(): void {
    for (const input of this.#inputs) {
      const { batch } = input;
      for (let i = 0; i < batch.length; i++) {
        if (batch.kinds[i] !== rowKinds.element) continue;
        input.value = batch.values[i];
        input.isFresh = true;
        break;
      }
    }
  }

  /** By node id. An element that gives no example leaves the one before. */
  taken(): Readonly<Record<string, readonly KeyExample[]>> {
    const byNode: Record<string, KeyExample[]> = {};
    for (const input of this.#inputs) {
      if (input.isFresh) input.taken = takeExample(this.#topology, input.node, input.slot, input.value) ?? input.taken;
      input.isFresh = false;
      input.value = undefined;
      if (input.taken !== undefined) (byNode[input.node] ??= []).push(input.taken);
    }
    return byNode;
  }
}
