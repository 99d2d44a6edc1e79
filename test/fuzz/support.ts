/**
 * What the fuzzers share: an instance whose writers do what an event's type says, how often they
 * try, and what must hold afterwards.
 *
 * FUZZ_RUNS and FUZZ_SEED make a run longer, and the same as an earlier one.
 */
import type { Parameters } from 'fast-check';
import { expect } from 'vitest';
import type { IngressCounts } from '../../ingest/telemetry/metrics.ts';
import { checkJson, isFault } from '../../schemas/json-scan.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import type { WriteOutcome } from '../../schemas/ports/record-writer.ts';
import type { DecodedEvent } from '../../schemas/wire.ts';
import type { Rig } from '../ingest/support.ts';
import { openAccess, rig } from '../ingest/support.ts';

export const bodyMaxBytes = 65_536;
/** Nothing that is answered at all takes so long. */
export const hangMs = 8_000;

const asked = Number(process.env['FUZZ_RUNS'] ?? '1');
/** So many runs, or FUZZ_RUNS times as many. */
export const runs = (usual: number): number => Math.ceil(usual * asked);
export const timeoutMs = Math.max(30_000, 60_000 * asked);

/**
 * Parameters for `fc.assert`; says the seed, so that what fails can be run again. Making a failure
 * smaller ends with the test's time.
 */
export function parameters(
  name: string,
  usual: number,
): Pick<
  Parameters<unknown>,
  'numRuns' | 'seed' | 'interruptAfterTimeLimit' | 'markInterruptAsFailure'
> {
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
  console.log(`${name}: FUZZ_SEED=${seed}, ${runs(usual)} runs`);
  return {
    numRuns: runs(usual),
    seed,
    interruptAfterTimeLimit: timeoutMs - 15_000,
    markInterruptAsFailure: true,
  };
}

/** Writers that refuse, refuse once, or do not know, by the type of the event. */
function decide({ attributes }: DecodedEvent, attempt: number): WriteOutcome | undefined {
  switch (attributes.type) {
    case 'fuzz.refused':
      return { kind: 'refused', code: 'stream-failed', message: 'never', retryable: false };
    case 'fuzz.retried':
      return attempt === 1
        ? { kind: 'refused', code: 'stream-failed', message: 'not yet', retryable: true }
        : undefined;
    case 'fuzz.unknown':
      return { kind: 'unknown', code: 'stream-failed', message: 'who knows' };
    default:
      return undefined;
  }
}

export async function fuzzRig(): Promise<Rig> {
  const bounds = {
    bodyMaxBytes,
    bodyDecodedMaxBytes: 2 * bodyMaxBytes,
    inFlightMaxBytes: 16 * bodyMaxBytes,
  };
  const made = await rig(bounds, 1_000, systemClock, {
    access: { ...openAccess, openSegmentStream: 'a/plain' },
  });
  made.kinesis.decide = decide;
  made.kafka.decide = decide;
  return made;
}

export interface Totals {
  readonly received: number;
  readonly accepted: number;
  readonly repeated: number;
  readonly refused: number;
}

export function totalsOf({
  received,
  accepted,
  repeated,
  refused,
}: Pick<IngressCounts, 'received' | 'accepted' | 'repeated' | 'refused'>): Totals {
  const sum = (numbers: Readonly<Record<string, number>>): number =>
    Object.values(numbers).reduce((total, number) => total + number, 0);
  return { received, accepted: sum(accepted), repeated, refused: sum(refused) };
}

export function difference(after: Totals, before: Totals): Totals {
  return {
    received: after.received - before.received,
    accepted: after.accepted - before.accepted,
    repeated: after.repeated - before.repeated,
    refused: after.refused - before.refused,
  };
}

/** Waits until no request is under way. */
export async function settled({ ingress }: Rig): Promise<void> {
  const until = performance.now() + hangMs;
  while (ingress.counts().inFlightBytes !== 0) {
    if (performance.now() > until)
      throw new Error(`${ingress.counts().inFlightBytes} bytes stay in flight`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * What holds whenever nothing is under way: what was received was accepted, repeated or refused, in
 * all and stream by stream; the streams hold as many events as were accepted; each is one JSON
 * value under well-formed attributes; every refusal has a code.
 */
export function expectConserved(
  { ingress, kinesis, kafka }: Rig,
  seen: { kinesis: number; kafka: number },
): void {
  const counts = ingress.counts();
  for (const [name, one] of [['all', counts], ...Object.entries(counts.byStream)] as const) {
    const { received, accepted, repeated, refused } = totalsOf(one);
    expect({ name, received }).toEqual({ name, received: accepted + repeated + refused });
    for (const code of Object.keys(one.refused)) expect(code).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
  }
  expect(counts.accepted).toEqual({ kinesis: kinesis.applied.length, kafka: kafka.applied.length });
  expect(counts.inFlightBytes).toBe(0);
  for (const writer of [kinesis, kafka] as const) {
    for (const { attributes, data } of writer.applied.slice(seen[writer.route])) {
      expect(isFault(checkJson(Buffer.from(data)))).toBe(false);
      expect(attributes.team).toBe('a');
      for (const text of [
        attributes.id,
        attributes.type,
        attributes.source,
        attributes.partitionkey,
      ]) {
        expect(text).not.toBe('');
        expect(text).not.toMatch(/\p{Surrogate}/u);
      }
      expect(Date.parse(attributes.receivedtime)).not.toBeNaN();
    }
    seen[writer.route] = writer.applied.length;
  }
}
