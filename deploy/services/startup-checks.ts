/**
 * What a service needs of the world before it starts, looked at all at once: a person is told
 * everything that is missing, not one thing a try.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { StartupCheck } from '../../schemas/ports/startup-check.ts';

/**
 * Looks at all of them; `tell` gets a line for each that is well. Throws `SluiceError`
 * `startup-checks-failed` with a line for each that is not.
 */
export async function runStartupChecks(
  checks: readonly StartupCheck[],
  tell: (line: string) => void,
): Promise<void> {
  const outcomes = await Promise.allSettled(checks.map(({ look }) => look()));
  const missing: string[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const what = checks[index]?.what ?? '';
    if (outcome.status === 'fulfilled') tell(`${what}: ${outcome.value}`);
    else missing.push(`${what}: ${whyOf(outcome.reason)}`);
  }
  if (missing.length === 0) return;
  throw new SluiceError('startup-checks-failed', missing.join('\n'), {
    fix: `${missing.length} of ${checks.length} checks failed; nothing was started`,
  });
}

function whyOf(thrown: unknown): string {
  const fix = thrown instanceof SluiceError && thrown.fix !== undefined ? ` (${thrown.fix})` : '';
  return `${messageOf(thrown)}${fix}`;
}
