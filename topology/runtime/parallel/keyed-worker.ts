/**
 * A worker: runs the keyed nodes of a topology for its part of the key groups, as it is told.
 *
 * Invariants:
 * 1. It runs the operators that one thread would run, compiled the same way; it calls no function
 *    that gives a key, as the key comes along.
 * 2. Everything is done when `answer` returns.
 * 3. An operator that throws leaves nothing that is used again, unless its elements are to be
 *    rejected (`rejectsFailing`): then it is as in driver/run-on.ts.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import type { Clock } from '../../../schemas/kernel/clock.ts';
import type { Random } from '../../../schemas/kernel/random.ts';
import { readChunk } from '../../checkpoint/sorted-runs/entry-chunks.ts';
import { unreadable } from '../../checkpoint/unreadable-state.ts';
import type { PlanNode } from '../../operators/kinds.ts';
import { kindOf } from '../../operators/kinds.ts';
import { noCounts } from '../../operators/operator.ts';
import type { Plan, Topology } from '../../plan/plan.ts';
import type { RestingPlace, StateRoom } from '../../state/records.ts';
import { liveStateDefaultMaxBytes } from '../../state/records.ts';
import type { Freezes } from '../frozen-values.ts';
import { frozenPorts } from '../frozen-values.ts';
import { partsFor } from '../parts-of-nodes.ts';
import { CausedRejections, Causes } from './caused-rows.ts';
import { KeyedNode } from './keyed-node.ts';
import type { WorkerAnswer, WorkerRequest, WorkerResults } from './keyed-workers.ts';
import { failureOfThrown } from './keyed-workers.ts';

export interface WorkerWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly room?: StateRoom;
}

type Open = Extract<WorkerRequest, { readonly kind: 'open' }>;

export class KeyedWorker {
  readonly #topology: Topology;
  readonly #world: WorkerWorld;
  #nodes: ReadonlyMap<string, KeyedNode> = new Map();

  /** The functions of `topology` may be watched. */
  constructor(topology: Topology, world: WorkerWorld) {
    this.#topology = topology;
    this.#world = world;
  }

  answer(request: WorkerRequest): WorkerAnswer {
    try {
      return { is: 'done', result: this.#resultOf(request) };
    } catch (thrown) {
      const isState = request.kind === 'restore' || request.kind === 'entries';
      const told = isState ? unreadable(thrown, `the state of '${request.node}'`) : thrown;
      return { is: 'failed', failure: failureOfThrown(told) };
    }
  }

  #resultOf(request: WorkerRequest): WorkerResults[WorkerRequest['kind']] {
    if (request.kind === 'open') return this.#open(request);
    const node = present(this.#nodes.get(request.node), 'a keyed node');
    switch (request.kind) {
      case 'close':
        return node.close();
      case 'begin':
        return node.operator.begin?.(request.era);
      case 'restore':
        node.operator.restore?.(request.head as never);
        return node.tables.facts;
      case 'entries': {
        for (const chunk of request.chunks)
          for (const entry of readChunk(chunk)) node.tables.restore(request.table, entry);
        return undefined;
      }
      case 'wake':
        return node.wake(request.input);
      case 'run':
        return node.run(request.input, request.sent);
      case 'head':
        return node.operator.snapshot?.();
      case 'progress':
        return present(node.operator.progress, 'the progress of a keyed kind');
      case 'size':
        return node.tables.size(request.table);
      case 'seal':
        return node.tables.seal(request.table);
      case 'write':
        return node.tables.write(request.table, request.maxBytes);
    }
  }

  #open(how: Open): undefined {
    for (const node of this.#nodes.values()) node.close();
    const { plan } = this.#topology;
    const nodes = plan.nodes.filter((node) => kindOf(node).keyed !== undefined);
    this.#nodes = new Map(nodes.map((node) => [node.id, this.#nodeOf(node, how)]));
  }

  #nodeOf(node: PlanNode, { parallelism, freezes, rejectsFailing }: Open): KeyedNode {
    const { clock, random, room = {} } = this.#world;
    const { liveStateMaxBytes = liveStateDefaultMaxBytes } = room;
    const { plan } = this.#topology;
    const kind = kindOf(node);
    const causes = new Causes();
    const counts = noCounts();
    const rejections = new CausedRejections(causes);
    const records: RestingPlace[] = [];
    const parts = partsFor(
      this.#topology,
      { counts: new Map([[node.id, counts]]), records },
      (rejection) => rejections.add(rejection),
      {
        tables: new Map(),
        lookups: new Map(),
        host: { clock, random, wake: () => undefined },
        freezes,
        room: { ...room, liveStateMaxBytes: liveStateMaxBytes / parallelism },
      },
    )(node);
    return new KeyedNode(node, {
      causes,
      counts,
      rejections,
      records,
      freezes: node.inputs.map((input) => freezesOf(plan, input, freezes)),
      rejectsFailing,
      operatorOf: (keyAt) =>
        present(kind.operator, 'the operator of a keyed kind')(node, {
          ...parts,
          cause: causes.cause,
          call: (slot) =>
            kind.keySlots?.includes(slot) === true ? () => keyAt(causes.row) : parts.call(slot),
        }),
    });
  }
}

/** Whether a topology has a part that workers run. */
export function hasKeyedNodes({ nodes }: Plan): boolean {
  return nodes.some((node) => kindOf(node).keyed !== undefined);
}

/** How the elements of an input are frozen, where they are. */
function freezesOf(
  plan: Plan,
  input: PlanNode['inputs'][number],
  freezes: Freezes,
): Freezes | undefined {
  const from = present(
    plan.nodes.find(({ id }) => id === input.node),
    'the node of an input',
  );
  return frozenPorts(plan, from, freezes).includes(input.port) ? freezes : undefined;
}
