/**
 * What a savepoint's manifest says, and what a run makes of it that starts from it. Pure.
 */
import type { Manifest } from './manifest.ts';

/**
 * What a run goes on with that starts from a savepoint. What sinks made of events since then stays
 * as it is: their states are those of `newest`, so that what they staged becomes visible once.
 */
export function backTo(savepoint: Manifest, newest: Manifest | undefined): Manifest {
  if (newest === undefined) return savepoint;
  return {
    ...savepoint,
    sinks: newest.sinks,
    retiring: newest.retiring,
    stateful: [
      ...savepoint.stateful.filter(({ kind }) => kind !== 'sink'),
      ...newest.stateful.filter(({ kind }) => kind === 'sink'),
    ],
  };
}

/** The same state in files of other names. */
export function withFiles(manifest: Manifest, nameOf: (name: string) => string): Manifest {
  if (manifest.state === undefined) return manifest;
  const runs = manifest.state.runs.map(({ id, files }) => ({
    id,
    files: files.map((file) => ({ ...file, name: nameOf(file.name) })),
  }));
  return { ...manifest, state: { ...manifest.state, runs } };
}
