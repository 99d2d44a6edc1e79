/**
 * Which file runs the topology of a name. The name is that of its checkpoints: a second topology of
 * that name would take over from the first, and resume from its state.
 *
 * Invariant: a name is one file's, that of the first to load, also while its topology fails, until
 * the file has a topology of another name.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';

export class TopologyNames {
  readonly #byFile = new Map<string, string>();

  /** What a file's topology is called now; why it may not run, where another file has that name. */
  claim(file: string, name: string): SluiceError | undefined {
    for (const [other, taken] of this.#byFile)
      if (taken === name && other !== file) return nameTaken(name, other);
    this.#byFile.set(file, name);
    return undefined;
  }
}

function nameTaken(name: string, other: string): SluiceError {
  return new SluiceError(
    'topology-name-taken',
    `the topology '${name}' is already used by ${other}: both would share its checkpoints`,
    {
      fix: 'give one of them another name, the first argument of topology(), or take one file out of the configuration',
    },
  );
}
