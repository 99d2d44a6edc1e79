/**
 * The writes of a graph sink in the job on their way to a commit: merged and cut into chunks as the
 * engine does it (enrich/graph/pending-writes.ts).
 */

import { PendingWrites } from '../../../enrich/graph/pending-writes.ts';
import { assert } from '../../../schemas/kernel/assert.ts';
import { mebi } from '../../../schemas/kernel/bytes.ts';
import { limits } from '../../../schemas/limits.ts';
import { fitWrites } from '../../../topology/graph/fit-write.ts';
import type { GraphModel, GraphWrite } from '../../../topology/index.ts';

/** Bytes of writes that wait here; past it the job takes them, and keeps them packed. */
const pendingMaxBytes = 8 * mebi;

export class GraphWrites {
  readonly #model: GraphModel;
  readonly #pending: PendingWrites;

  constructor(model: GraphModel) {
    this.#model = model;
    this.#pending = new PendingWrites(model);
  }

  /**
   * Adds elements, a JSON array of arrays of writes that were checked behind the operator before;
   * whether the job is to take all there are.
   */
  add(elements: string): boolean {
    const pending = this.#pending;
    for (const writes of JSON.parse(elements) as GraphWrite[][]) {
      const sizes = fitWrites(this.#model, writes);
      assert(!('message' in sizes), 'only writes that fit the model come here');
      for (const [index, write] of writes.entries()) pending.add(write, sizes[index] as number);
    }
    return pending.bytes >= pendingMaxBytes || pending.writes >= limits.graphStagedMaxWrites;
  }

  /** All that was added, a chunk a line; nothing is left. */
  take(): string {
    return this.#pending.takeChunks().join('\n');
  }
}
