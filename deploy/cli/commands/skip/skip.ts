/**
 * `sluice skip TOPOLOGY SPLIT`: has a running topology go past what it cannot read of a split. What
 * is skipped is in its checkpoints and in the rejected table; a split that can be read is refused.
 */
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { commandInstance } from '../../ask.ts';
import type { Output } from '../../output.ts';

export interface SkipCommand {
  readonly topology: string;
  readonly split: string;
  /** A position, `latest` or `oldest`. */
  readonly to: string | undefined;
  readonly whole: boolean;
  readonly undo: boolean;
  readonly dir: string;
  readonly output: Output;
}

/**
 * Throws `SluiceError` `skip-invalid`, `not-running`, `topology-unknown`, `split-unknown`,
 * `split-ambiguous`, `skip-refused`.
 */
export async function skipCommand({
  topology,
  split,
  to,
  whole,
  undo,
  dir,
  output,
}: SkipCommand): Promise<number> {
  const asked = [to, whole ? 'whole' : undefined, undo ? 'undo' : undefined].filter(
    (each) => each !== undefined,
  );
  const [target] = asked;
  if (target === undefined || asked.length > 1 || to === 'whole' || to === 'undo') {
    throw new SluiceError(
      'skip-invalid',
      'expected one of --to <position>, --to latest, --to oldest, --whole and --undo',
      {
        fix: '--to skips what cannot be read and continues after it; --whole leaves the split out until --undo',
      },
    );
  }
  const { done } = (await commandInstance(dir, '/_sluice/skip', {
    topology,
    split,
    to: target,
  })) as { readonly done: string };
  output.line(
    output.json ? JSON.stringify({ done }) : `${done}; it takes effect with the next checkpoint`,
  );
  return 0;
}
