/**
 * Measures the load of running instances: their metrics, read twice.
 */
import type { SluiceConfig } from '../../../../schemas/config.ts';
import { sleep } from '../../../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import { parseDuration } from '../../../../topology/time/duration.ts';
import type { Load } from '../../../cost/design.ts';
import { loadOfMetrics } from '../../../cost/measured-load.ts';
import { findInstance } from '../../../host/instance.ts';
import type { Context } from '../../command.ts';

const scrapeMaxMs = 10_000;
const [leastMs, mostMs] = [1_000, 86_400_000];

interface Measurement {
  /** Empty: the running instance. */
  readonly urls: readonly string[];
  readonly time: string;
  readonly config: SluiceConfig;
}

/** Throws `SluiceError` `option-invalid`, `not-running`, `metrics-unreadable`. */
export async function measureLoad(
  { dir, clock, output }: Context,
  { urls, time, config }: Measurement,
): Promise<Pick<Load, 'streams' | 'large'>> {
  const durationMs = parseDuration(time) ?? 0;
  if (durationMs < leastMs || durationMs > mostMs)
    throw new SluiceError(
      'option-invalid',
      `invalid --for '${time}': expected a time from 1s to 24h, such as 30s or 5m`,
    );
  const from = urls.length > 0 ? urls : [await runningOn(dir)];
  const read = (): Promise<readonly string[]> => Promise.all(from.map(scrape));
  const before = await read();
  const beganMs = clock.monotonic();
  output.note(`measuring for ${time}`);
  await sleep(clock, durationMs);
  const seconds = (clock.monotonic() - beganMs) / 1_000;
  const after = await read();
  return loadOfMetrics(
    from.map((url, n) => ({ from: url, before: before[n] ?? '', after: after[n] ?? '' })),
    seconds,
    config.streams.map(({ name }) => name),
  );
}

async function runningOn(dir: string): Promise<string> {
  const instance = await findInstance(dir);
  if (instance !== undefined) return instance.metrics;
  throw new SluiceError('not-running', `no instance runs on ${dir}`, {
    fix: 'name the metrics of an ingress: --measure http://127.0.0.1:9464/metrics',
  });
}

async function scrape(url: string): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(scrapeMaxMs) });
    if (answer.ok) return await answer.text();
    throw new Error(`it answers ${answer.status}`);
  } catch (cause) {
    throw new SluiceError('metrics-unreadable', `${url} cannot be read: ${messageOf(cause)}`, {
      cause,
      retryable: true,
      fix: 'name the address of the metrics, such as http://127.0.0.1:9464/metrics',
    });
  }
}
