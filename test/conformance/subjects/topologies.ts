/**
 * The topologies under test, by operator: for an engine that evaluates them itself. Nothing here
 * runs one.
 */
import type { Topology } from '../../../topology/index.ts';
import type { Config } from '../case.ts';
import { askedTopology } from '../flink/asked.ts';
import { mixedTopology } from '../flink/mixed.ts';
import { stuckTopology } from '../flink/stuck.ts';
import { joinTopology } from './interval-join.ts';
import { deduplicateTopology, timersTopology, ttlTopology } from './state.ts';
import { mergeTopology, watermarksTopology } from './watermarks.ts';
import { assignTopology, windowTopology } from './window.ts';

const topologies: Readonly<Record<string, (config: Config) => Topology>> = {
  assign: assignTopology,
  window: windowTopology,
  intervalJoin: joinTopology,
  watermarks: watermarksTopology,
  merge: mergeTopology,
  timers: timersTopology,
  ttl: ttlTopology,
  deduplicate: deduplicateTopology,
  mixed: mixedTopology,
  stuck: stuckTopology,
  asked: askedTopology,
};

export interface GivenCase {
  readonly operator: string;
  readonly config: Config;
  /** A window with a stateless node more. */
  readonly grown?: boolean;
}

export function topologyOfCase({ operator, config, grown }: GivenCase): Topology {
  if (grown === true) return windowTopology(config, true);
  const made = topologies[operator];
  if (made === undefined) throw new Error(`no topology of ${operator}`);
  return made(config);
}
