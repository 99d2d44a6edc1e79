/**
 * What the topologies under test share: a source of rows with event time, and the window named by a
 * configuration.
 */
import type {
  SluiceEvent,
  StreamDefinition,
  Topology,
  TopologyBuilder,
} from '../../../topology/index.ts';
import { session, sliding, stream, topology, tumbling } from '../../../topology/index.ts';
import { event } from '../../../topology/testing.ts';
import type { Config, Operation } from '../case.ts';
import type { CaseDriver } from '../session.ts';

export interface Row {
  readonly key: string | number | boolean;
  readonly value: string | number | boolean;
  readonly at: number;
}

type Tuple = readonly (string | number | boolean)[];

export function topologyOf(build: (t: TopologyBuilder) => void): Topology {
  return topology('conformance', { version: 1, owner: 'test/conformance' }, build);
}

interface WatermarkOptions {
  readonly delay?: number;
  readonly idleAfter?: number;
}

/**
 * A source with the event time that its data names. Unless told otherwise watermarks come from the
 * driver's calls alone.
 */
export function timed<D extends { readonly at: number }>(
  t: TopologyBuilder,
  id: string,
  { delay = 0, idleAfter = 0 }: WatermarkOptions = {},
) {
  return t
    .source(id, stream(`test/${id}`) as StreamDefinition<SluiceEvent<D>>)
    .eventTime(`${id}-time`, (e) => e.data.at, {
      outOfOrderness: delay,
      idleAfter,
      future: { max: 0 },
    });
}

export const rows = (t: TopologyBuilder, id: string) => timed<Row>(t, id);

/** `[key, value, ts]` and `[key, ts]`. */
export function rowEvent({ value: given }: Operation): SluiceEvent<Row> {
  const parts = given as Tuple;
  const [key = '', value = 0] = parts;
  return event({ key, value: parts.length === 2 ? 0 : value, at: Number(parts.at(-1)) });
}

/** The steps' elements in one batch of the source `in`. */
export const feedRows = (driver: CaseDriver, operations: readonly Operation[]): Promise<void> =>
  driver.push('in', operations.map(rowEvent));

export function windowOf(config: Config) {
  const number = (name: string): number | undefined => config[name] as number | undefined;
  const offset = config['offset'] === undefined ? {} : { offset: number('offset') as number };
  const gap = number('session');
  if (gap !== undefined) return session(gap);
  const size = number('sliding');
  // A missing slide reaches the language as it is, for cases that are to be refused.
  if (size !== undefined) return sliding(size, number('slide') as number, offset);
  return tumbling(number('tumbling') as number, offset);
}
