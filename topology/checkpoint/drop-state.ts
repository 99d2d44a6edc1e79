/**
 * `--drop-state`: which state a person drops, by the ids that the checkpoints have, or the
 * savepoint that a topology goes back to.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';
import { checkpointedIds } from './restore.ts';
import type { Savepoints } from './savepoints.ts';
import { openSavepoint } from './savepoints.ts';
import { checkpointedTopologies, checkpointStore } from './store.ts';

/** Ids by topology. */
export type DropState = Readonly<Record<string, readonly string[]>>;

/**
 * Finds what is named: an id, `id#part` for an aggregate or a declared state, with `topology:`
 * before it where several have that id. `savepoints`: those that are restored in place of the
 * checkpoints of their topologies. Throws `SluiceError` `drop-state-unknown`,
 * `drop-state-ambiguous`, with the ids that there are.
 */
export async function resolveDropState(
  blobs: BlobStore,
  names: readonly string[],
  savepoints: Savepoints = {},
): Promise<DropState> {
  const known = new Map<string, readonly string[]>();
  for (const topology of await checkpointedTopologies(blobs)) {
    if (Object.hasOwn(savepoints, topology)) continue;
    const latest = await checkpointStore(blobs, topology).latest();
    if (latest !== undefined) known.set(topology, checkpointedIds(latest));
  }
  for (const [topology, name] of Object.entries(savepoints))
    known.set(topology, checkpointedIds((await openSavepoint(blobs, topology, name)).manifest));
  if (names.length === 0)
    throw new SluiceError(
      'drop-state-unknown',
      '--drop-state needs the ids of the nodes whose state to drop',
      {
        fix: listOf(known),
      },
    );
  const found: Record<string, string[]> = {};
  for (const name of names) {
    const [topology, ...others] = [...known]
      .filter(([of, ids]) => ids.some((id) => name === id || name === `${of}:${id}`))
      .map(([of]) => of);
    if (topology === undefined) {
      throw new SluiceError(
        'drop-state-unknown',
        `invalid --drop-state '${name}': no checkpoint has state of it`,
        { fix: listOf(known) },
      );
    }
    if (others.length > 0) {
      const choices = [topology, ...others].map((of) => `${of}:${name}`).join(' or ');
      throw new SluiceError(
        'drop-state-ambiguous',
        `invalid --drop-state '${name}': several topologies have it`,
        {
          fix: `use one of: ${choices}`,
        },
      );
    }
    (found[topology] ??= []).push(
      name.startsWith(`${topology}:`) ? name.slice(topology.length + 1) : name,
    );
  }
  return found;
}

function listOf(known: ReadonlyMap<string, readonly string[]>): string {
  if (known.size === 0)
    return 'there is no checkpoint yet, so there is no state to drop: start without --drop-state';
  return `the checkpoints have state of ${[...known].map(([topology, ids]) => `${topology}: ${ids.join(', ')}`).join('; ')}`;
}
