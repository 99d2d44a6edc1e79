/**
 * What the window of repeats takes, in two tables: the memory of a chunk beside its bytes, by which
 * `repeatChunkOverheadBytes` is chosen, and of a whole window, full, beside what it counts;
 * and the time that an event with an id of its own costs.
 *
 * Run with `node --expose-gc dist/test/bench/repeats.js`.
 */
import { createFingerprints } from '../../ingest/delivery/fingerprint.ts';
import { RepeatWindow } from '../../ingest/delivery/repeat-window.ts';
import { createRepeats } from '../../ingest/delivery/repeats.ts';
import { repeatWindowMaxBytes, repeatWindowMs } from '../../schemas/config/ingress.ts';
import type { EventAttributes } from '../../schemas/event.ts';
import { systemRandom } from '../../schemas/kernel/random.ts';

const mebi = 1_048_576;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const delivered = {
  kind: 'replicated',
  route: 'kinesis',
  split: 'shardId-000000000000',
  position: '49650000000000000000000000000000000000000000000000000001',
  failover: false,
} as const;
const attributes = (n: number): EventAttributes => ({
  id: `01a226a3-3cd1-7709-911a-${String(n).padStart(12, '0')}`,
  source: '/team/app',
  type: 'team.app',
  time: '2026-01-01T00:00:00.000Z',
  datacontenttype: 'application/json',
  team: 'team',
  app: 'app',
  partitionkey: 'k',
  receivedtime: '2026-01-01T00:00:00.000Z',
});
const fingerprintOf = await createFingerprints(systemRandom);
const printOf = (n: number) =>
  fingerprintOf(
    { attributes: attributes(n), ownTime: false, ownExtensions: undefined },
    new Uint8Array(8),
    0,
  );

function used(): number {
  for (let n = 0; n < 3; n++) globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function fill(shares: number, entries: number, maxBytes: number): void {
  const before = used();
  const window = new RepeatWindow({ windowMs: 1e12, maxBytes, now: () => 0 });
  for (let n = 0; n < entries; n++) window.remember(`key${n % shares}`, printOf(n), delivered);
  const taken = used() - before;
  const { bytes, entries: kept } = window;
  const each = (taken / kept).toFixed(0);
  say(
    `${String(shares).padStart(7)} shares ${String(kept).padStart(7)} entries: counted ${bytes}, taken ${taken} (${each} an entry)`,
  );
}

function time(name: string, size: number): void {
  const repeats = createRepeats({
    windowMs: repeatWindowMs,
    maxBytes: repeatWindowMaxBytes,
    now: () => performance.now(),
  });
  const data = Buffer.alloc(size, 'x');
  const events = 400_000;
  const run = (from: number): void => {
    for (let n = from; n < from + events; n++) {
      const print = fingerprintOf(
        { attributes: attributes(n), ownTime: false, ownExtensions: undefined },
        data,
        0,
      );
      if (repeats.meet(print, () => undefined)) repeats.settled('key', print, delivered);
    }
  };
  run(0);
  const before = process.cpuUsage();
  run(events);
  const { user, system } = process.cpuUsage(before);
  say(`${name}: ${((user + system) / events).toFixed(2)} us of CPU`);
}

for (const shares of [1, 10, 1_000, 100_000]) fill(shares, 1_000_000, 64 * mebi);
time('an event of 200 B', 200);
time('an event of 5 KB', 5_000);
