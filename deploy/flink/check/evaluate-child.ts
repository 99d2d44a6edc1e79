/**
 * A process of its own that bundles and evaluates a topology as a Flink job does, says what is wrong
 * with it, and ends. Its argument is the topology's file.
 */
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import { bundleForFlink } from '../bundle.ts';
import type { Evaluated } from './findings.ts';

async function evaluated(file: string): Promise<Evaluated> {
  try {
    await bundleForFlink(file);
    return {};
  } catch (thrown) {
    const fix = thrown instanceof SluiceError ? thrown.fix : undefined;
    return {
      problem: { message: messageOf(thrown), fix: fix ?? 'correct what the message names' },
    };
  }
}

// Without a host nobody waits for it.
process.once('disconnect', () => process.exit());
void evaluated(process.argv[2] ?? '').then((found) => process.send?.(found, () => process.exit()));
