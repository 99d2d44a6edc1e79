/**
 * The entry point of the language: `topology()` builds a plan as frozen data and runs nothing.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { outPort } from '../nodes/node.ts';
import type { Plan, Topology } from '../plan/plan.ts';
import { irVersion } from '../plan/plan.ts';
import { streamFrom } from './build-stream.ts';
import { address, PlanBuilder } from './builder.ts';
import type { StreamDefinition } from './source.ts';
import type { Stream } from './stream.ts';

export interface TopologyOptions {
  /**
   * Increase it when results change their meaning; every rejected row has it. An integer from 1.
   */
  readonly version: number;
  /** `team/app`: who owns it, and the partition of rows without their own team and app. */
  readonly owner: `${string}/${string}`;
}

export interface TopologyBuilder {
  /** Reads a stream, both its routes as one. */
  readonly source: <E>(id: string, stream: StreamDefinition<E>) => Stream<E>;
}

/**
 * Defines a topology.
 *
 * @example
 * export default topology('clicks', { version: 1, owner: 'rpp/promo' }, (t) => {
 *   t.source('clicks', stream('rpp/promo-clicks'))
 *     .validate('clicks-valid', promoClick)
 *     .map((e) => ({ id: e.id, promoId: e.data.promoId }))
 *     .sinkTo('clicks-table', table('clicks', promoClickRow));
 * });
 */
export function topology(
  name: string,
  options: TopologyOptions,
  build: (t: TopologyBuilder) => void,
): Topology {
  if (typeof build !== 'function' || typeof (options as TopologyOptions | null)?.owner !== 'string')
    throw new SluiceError(
      'topology-invalid',
      `the topology '${name}' is incomplete: write topology('${name}', { version: 1, owner: 'team/app' }, (t) => { ... })`,
    );
  const builder = new PlanBuilder();
  const place = new Error('made here').stack;
  build({
    source: <E>(id: string, definition: StreamDefinition<E>): Stream<E> => {
      const { stream, dataText } = builder.given(id, 'stream', definition, "stream('team/app')");
      builder.add({ id, kind: 'source', inputs: [], outputs: [outPort], stream, dataText });
      return streamFrom<E>(builder, { node: id, port: outPort });
    },
  });
  const [team = '', app = '', ...more] = options.owner.split('/');
  const owner = { team, app: [app, ...more].join('/') };
  const plan: Plan = { irVersion, name, version: options.version, owner, nodes: builder.nodes };
  const functions: ReadonlyMap<string, (...args: never[]) => unknown> = new Map(builder.functions);
  return Object.freeze({
    plan: freeze(plan),
    graph: plan,
    problems: freeze([...builder.problems]),
    placeOf: (node: string) => builder.places.get(node) ?? place,
    resolve: (node: string, slot: string) => functions.get(address(node, slot)),
  });
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
