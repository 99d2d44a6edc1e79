/**
 * One operator of a topology by itself, whose live objects may take so many bytes, with stores that
 * say how many records rest.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { Stream, Topology } from '../../../topology/index.ts';
import { collect, stream, topology } from '../../../topology/index.ts';
import { Batch } from '../../../topology/operators/batch.ts';
import type { Operator, Rejection } from '../../../topology/operators/operator.ts';
import { compileDag } from '../../../topology/runtime/compile-dag.ts';
import type { Dag } from '../../../topology/runtime/dag.ts';
import type { SnapshotEntry } from '../../../topology/runtime/driver/driven-state.ts';
import { DrivenState } from '../../../topology/runtime/driver/driven-state.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import type { RecordStore } from '../../../topology/state/records.ts';

export interface Row {
  readonly k: string | number | readonly (string | number)[];
  readonly n: number;
}

/** Of the node. */
export const id = 'node';

export function built<T>(build: (rows: Stream<Row>) => Stream<T>): Topology {
  return topology('rests', { version: 1, owner: 'test/rests' }, (t) => {
    const rows = t
      .source('in', stream('test/rows'))
      .eventTime('time', () => 0, { outOfOrderness: 0, idleAfter: 0 })
      .map((e) => e.data as Row);
    build(rows).sinkTo('out', collect());
  });
}

/** One operator of its own. */
export class Play {
  readonly #topology: Topology;
  readonly #liveStateMaxBytes: number;
  readonly #out = new Batch();
  readonly #rejected: Rejection[] = [];
  /** What came to rest. */
  readonly rests: string[] = [];
  #stores: RecordStore[] = [];
  #rested = 0;
  #dag: Dag;
  #state: DrivenState;

  constructor(of: Topology, liveStateMaxBytes: number) {
    this.#topology = of;
    this.#liveStateMaxBytes = liveStateMaxBytes;
    this.#dag = this.#compiled();
    this.#state = new DrivenState(this.#dag);
  }

  #compiled(): Dag {
    this.#stores = [];
    const dag = compileDag(this.#topology, (rejection) => this.#rejected.push(rejection), {
      tables: new Map(),
      lookups: new Map(),
      host: { clock: manualClock(), random: seededRandom(1), wake: () => undefined },
      freezes: 'all',
      room: {
        liveStateMaxBytes: this.#liveStateMaxBytes,
        recordStore: () => {
          const store = memoryRecords();
          const add = store.add.bind(store);
          store.add = (bytes) => {
            this.rests.push(Buffer.from(bytes).toString('latin1'));
            return add(bytes);
          };
          this.#stores.push(store);
          return store;
        },
      },
    });
    const stages = dag.stages.filter(({ nodes }) => nodes[0]?.id === id);
    return { ...dag, stages, counts: dag.counts } as Dag;
  }

  get #operator(): Operator {
    return present(this.#dag.stages[0], 'a stage').operator;
  }

  /** Records at rest. */
  get records(): number {
    return this.#stores.reduce((all, { records }) => all + records, 0);
  }

  /** The most that there were. */
  get rested(): number {
    return this.#rested;
  }

  turn(batch: Batch): unknown {
    this.#out.clear();
    this.#operator.process(0, batch, [this.#out]);
    this.#rested = Math.max(this.#rested, this.records);
    const { kinds, values, timestamps, origins } = this.#out;
    const seen = { kinds, values, timestamps, origins: origins.map((origin) => origin?.derived) };
    return structuredClone({
      ...seen,
      rejected: this.#rejected.splice(0).map(({ origin, ...rest }) => ({ ...rest, at: !origin })),
      counts: this.#dag.counts.get(id),
      progress: this.#operator.progress,
      size: this.#operator.tables?.map(({ size }) => size),
    });
  }

  snapshot(): readonly [head: unknown, entries: readonly SnapshotEntry[]] {
    return [structuredClone(this.#operator.snapshot?.()), this.#state.take()];
  }

  restore([head, entries]: readonly [unknown, readonly SnapshotEntry[]]): void {
    const counts = this.#dag.counts.get(id);
    this.#dag = this.#compiled();
    Object.assign(this.#dag.counts.get(id) ?? {}, counts);
    this.#state = new DrivenState(this.#dag);
    this.#operator.restore?.(head as never);
    this.#state.restore(entries);
  }
}
