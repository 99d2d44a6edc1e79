/**
 * Where a start begins, as `--from` says it: a savepoint, or where splits begin that no checkpoint
 * knows.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Savepoints, StartFrom } from '../../topology/index.ts';
import { startFromOf } from '../../topology/index.ts';

export interface StartPlace {
  readonly from?: StartFrom;
  /** `<name>` or `<topology>/<name>`. */
  readonly savepoint?: string;
}

const savepointPrefix = 'savepoint:';

/** As a person writes it. Throws `SluiceError` `from-invalid`. */
export function startPlaceOf(text: string | undefined, nowMs: number): StartPlace {
  if (text === undefined) return {};
  if (!text.startsWith(savepointPrefix)) return { from: startFromOf(text, nowMs) };
  const savepoint = text.slice(savepointPrefix.length);
  if (savepoint === '')
    throw new SluiceError('from-invalid', `invalid --from '${text}': expected savepoint:NAME`, {
      fix: '`sluice savepoint list` shows the names',
    });
  return { savepoint };
}

/** Savepoints of topologies that do not run here: a line each. */
export function unusedSavepoints(
  savepoints: Savepoints,
  running: readonly (string | null)[],
): readonly string[] {
  return Object.entries(savepoints)
    .filter(([topology]) => !running.includes(topology))
    .map(
      ([topology, name]) =>
        `the savepoint '${name}' of ${topology} is not used: no topology of that name runs here`,
    );
}
