/**
 * Copies of the graph, for questions: the file itself has one owner, who continues writing.
 *
 * Invariants:
 * 1. A question finds everything that was committed when it was asked, except under 3.
 * 2. The owner, who writes nothing while a copy is made, has nine times as long for itself before
 *    the next one.
 * 3. A question does not wait longer than `graphCopyWaitMaxMs` for that: it gets the last copy.
 * 4. Questions that come together share one copy; it is removed when a newer one is there and
 *    nobody reads it.
 * 5. No copy fills the disk that events are written to.
 */
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { mebi } from '../../schemas/kernel/bytes.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { sleep } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';

/**
 * A copy of the graph that questions read: the least pause before the next is made, how long a
 * question waits for one that has newer commits, the largest, and what the disk keeps free.
 */
export const graphCopyPauseMs = 100;
export const graphCopyWaitMaxMs = 1_000;
const graphCopyMaxBytes = 16 * 1_024 * mebi;
const graphCopyFreeMinBytes = 1_024 * mebi;

export interface GraphCopy {
  readonly path: string;
  /** Epoch ms: everything that was committed then is in it. */
  readonly takenAt: number;
}

export interface GraphCopies {
  /** There are commits that no copy has. */
  outdate(): void;
  use<T>(work: (copy: GraphCopy) => Promise<T>): Promise<T>;
  /** Removes all of them. */
  close(): void;
}

export interface GraphCopiesOptions {
  /** The graph. */
  readonly path: string;
  /** For the copies alone: it is emptied. */
  readonly folder: string;
  readonly clock: Clock;
  readonly copyTo: (path: string) => Promise<void>;
}

interface KeptCopy extends GraphCopy {
  readers: number;
  /** So many commits are in it for certain. */
  readonly holds: number;
  /** On the monotonic clock: when a newer one may be made. */
  readonly nextFromMs: number;
}

const pauseFactor = 9;

export function graphCopies({ path, folder, clock, copyTo }: GraphCopiesOptions): GraphCopies {
  // Of a process that was killed.
  rmSync(folder, { recursive: true, force: true });
  let current: KeptCopy | undefined;
  let making: Promise<KeptCopy> | undefined;
  let commits = 0;
  let made = 0;

  const make = async (): Promise<KeptCopy> => {
    await requireRoom(path, folder);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const [begun, holds, takenAt] = [clock.monotonic(), commits, clock.now()];
    const to = join(folder, `graph-${++made}`);
    await copyTo(to);
    const pauseMs = Math.max(graphCopyPauseMs, pauseFactor * (clock.monotonic() - begun));
    const copy = { path: to, takenAt, holds, readers: 0, nextFromMs: clock.monotonic() + pauseMs };
    const before = current;
    current = copy;
    if (before?.readers === 0) remove(before);
    return copy;
  };

  const latest = async (): Promise<KeptCopy> => {
    const asked = commits;
    for (;;) {
      if (current !== undefined && current.holds >= asked) return current;
      if (making === undefined) {
        const waitMs = current === undefined ? 0 : current.nextFromMs - clock.monotonic();
        if (current !== undefined && waitMs > graphCopyWaitMaxMs) return current;
        making = (waitMs > 0 ? sleep(clock, waitMs).then(make) : make()).finally(() => {
          making = undefined;
        });
      }
      await making;
    }
  };

  return {
    outdate() {
      commits++;
    },
    async use(work) {
      const copy = await latest();
      copy.readers++;
      try {
        return await work(copy);
      } finally {
        copy.readers--;
        if (copy !== current && copy.readers === 0) remove(copy);
      }
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const remove = ({ path }: GraphCopy): void => rmSync(path, { force: true });

async function requireRoom(path: string, folder: string): Promise<void> {
  const { size } = statSync(path);
  const { bavail, bsize } = await statfs(join(folder, '..'));
  const problem =
    size > graphCopyMaxBytes
      ? `the graph has ${inMebi(size)} MiB, and copies of up to ${inMebi(graphCopyMaxBytes)} MiB are made to answer questions`
      : bavail * bsize - size < graphCopyFreeMinBytes
        ? `a copy of the graph to answer questions would leave less than ${inMebi(graphCopyFreeMinBytes)} MiB of the disk free`
        : undefined;
  if (problem === undefined) return;
  throw new SluiceError('graph-copy-failed', problem, {
    fix: 'stop the instance and ask again: then the file itself is read',
  });
}

const inMebi = (bytes: number): string => Math.ceil(bytes / mebi).toLocaleString('en');
