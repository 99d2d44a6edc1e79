/**
 * Whether topologies do what they are there for. Readiness, not health: what keeps them from it, a
 * full disk or a bucket that refuses, is not fixed by a restart of the process. Pure.
 *
 * Invariant: no topology is named, as whoever reaches the port may ask.
 */
import type { TopologyHostStatus } from './hosted-topology.ts';

const running: ReadonlySet<TopologyHostStatus['state']> = new Set([
  'running',
  'draining',
  'drained',
]);

/** Why they are not ready, in a sentence; undefined when they are. */
export function topologiesNotReady(
  statuses: readonly Pick<TopologyHostStatus, 'state' | 'checkpoints' | 'silentSinceMs'>[],
): string | undefined {
  const count = (what: (status: (typeof statuses)[number]) => boolean): string | undefined => {
    const found = statuses.filter(what).length;
    return found === 0 ? undefined : `${found} of ${statuses.length} topologies`;
  };
  const late = count(({ state }) => !running.has(state));
  if (late !== undefined) return `${late} do not run: see \`sluice status\``;
  const failing = count(({ checkpoints }) => checkpoints.alarm);
  if (failing !== undefined)
    return `${failing} cannot complete a checkpoint: see \`sluice status\``;
  const silent = count(({ silentSinceMs }) => silentSinceMs !== null);
  return silent === undefined ? undefined : `${silent} do not answer: see \`sluice status\``;
}
