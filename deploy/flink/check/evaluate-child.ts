/**
 * A process of its own that bundles and evaluates a topology as a Flink job does, says what is wrong
 * with it, and ends. Its first argument is the topology's file; with a second one it also says what
 * it made.
 */
import type { OperationalCode } from '../../../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import { bundleForFlink } from '../bundle.ts';
import type { Evaluated } from './evaluate.ts';

async function evaluated(file: string, wanted: boolean): Promise<Evaluated> {
  try {
    const bundle = await bundleForFlink(file);
    return wanted ? { bundle } : {};
  } catch (thrown) {
    const known = thrown instanceof SluiceError ? thrown : undefined;
    return {
      problem: {
        code: (known?.code ?? 'topology-load') as OperationalCode,
        message: messageOf(thrown),
        ...(known?.fix === undefined ? {} : { fix: known.fix }),
      },
    };
  }
}

const [, , file = '', wanted] = process.argv;
// Without a host nobody waits for it.
process.once('disconnect', () => process.exit());
void evaluated(file, wanted !== undefined).then((found) =>
  process.send?.(found, () => process.exit()),
);
