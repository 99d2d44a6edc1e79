/**
 * `sluice topics plan|apply`: what the configuration needs of Kinesis and Kafka, shown or done.
 */
import { loadConfig } from '../../../../schemas/config-file.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { ShapedResult } from '../../../services/topics.ts';
import { shapeTopics } from '../../../services/topics.ts';
import type { Context } from '../../command.ts';
import { exitCodeOf, topicsText } from './topics-text.ts';

interface TopicsCommand {
  readonly stream: readonly string[];
  readonly only: string | undefined;
  readonly apply: boolean;
}

/**
 * Resolves with the exit code. Throws `SluiceError` `config-missing`, `config-invalid`,
 * `config-incomplete`, `option-invalid`.
 */
export async function topicsCommand(
  { config: named, env, clock, random, output }: Context,
  { stream, only, apply }: TopicsCommand,
): Promise<number> {
  const results: readonly ShapedResult[] = await shapeTopics({
    // Never the shipped example, which other commands fall back to: this one changes things.
    config: loadConfig(named ?? 'sluice.yaml', env),
    only: serviceOf(only),
    streams: stream,
    apply,
    clock,
    random,
    begun: (what) => output.note(`${what} ...`),
  });
  if (output.json) output.line(JSON.stringify({ resources: results }));
  else for (const line of topicsText(results, apply)) output.line(line);
  return exitCodeOf(results);
}

function serviceOf(text: string | undefined): 'kinesis' | 'kafka' | undefined {
  if (text === undefined || text === 'kinesis' || text === 'kafka') return text;
  throw new SluiceError('option-invalid', `invalid --only '${text}': expected kinesis or kafka`);
}
