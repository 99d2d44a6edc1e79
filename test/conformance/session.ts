/**
 * A case's operator at work: fed with its steps, restored between them, asked for what it emitted.
 *
 * Invariants:
 * 1. Everything goes through the public test driver; nothing of the engine is reached otherwise,
 *    but for how much of the state stays live.
 * 2. A restore throws the driver away: what goes on is a new one that knows only the snapshot's
 *    text and the clock. `inPlace` keeps the driver and makes it forget instead.
 * 3. No case rejects an element, so a rejection is an error and never goes unseen.
 */
import type { Topology } from '../../topology/index.ts';
import { openDriver } from '../../topology/runtime/driver/open-driver.ts';
import type { Driver, DriverOptions } from '../../topology/testing.ts';
import type { Config, Json, Operation } from './case.ts';

/** What was emitted since the last call, in order, by the kind of expectation that judges it. */
export type Found = Readonly<Record<string, readonly Json[]>>;

export interface Session {
  /** Elements that arrive in one batch. */
  feed(operations: readonly Operation[]): Promise<void>;
  /** Any other step but expectations. */
  act(operation: Operation): Promise<void>;
  restore(how: 'anew' | 'inPlace'): Promise<void>;
  take(): Found;
  close(): void;
}

/** Starts an operator with a case's configuration. */
export type Subject = (config: Config, running: Running) => Promise<Session>;

/** What runs a topology: the test driver of the engine here, or another engine's. */
export type CaseDriver = Omit<Driver, 'snapshot' | 'counts'> & {
  snapshot(): string | Promise<string>;
};

export type OpenDriver = (topology: Topology, options: DriverOptions) => Promise<CaseDriver>;

/** What of a run no topology may notice. */
export interface Running {
  /** Default: the engine here. */
  readonly open?: OpenDriver;
  /** Of the drivers that follow each other, again and again. */
  readonly parallelisms: readonly number[];
  /** 0: all state rests as bytes as soon as it may. Default: that of a job. */
  readonly liveStateMaxBytes?: number;
}

export interface DriverParts {
  readonly topology: Topology;
  readonly feed: (driver: CaseDriver, operations: readonly Operation[]) => Promise<void>;
  readonly act?: (driver: CaseDriver, operation: Operation) => Promise<void>;
  /** Splits by source; a source that is not named has one. */
  readonly splits?: Readonly<Record<string, readonly string[]>>;
  /** Done once, before the first step. */
  readonly begin?: (driver: CaseDriver) => Promise<void>;
  readonly take: (driver: CaseDriver) => Found;
}

export async function driverSession(
  parts: DriverParts,
  { parallelisms, liveStateMaxBytes, open: engine }: Running,
): Promise<Session> {
  let clock = 0;
  let opened = 0;
  const open = (): Promise<CaseDriver> => {
    const options = {
      now: clock,
      splits: parts.splits ?? {},
      parallelism: parallelisms[opened++ % parallelisms.length] ?? 1,
    };
    return engine === undefined
      ? openDriver(parts.topology, options, { liveStateMaxBytes })
      : engine(parts.topology, options);
  };
  let driver = await open();
  await parts.begin?.(driver);
  const refuseRejections = (): void => {
    const rejected = driver.rejected();
    if (rejected.length > 0) throw new Error(`rejected: ${JSON.stringify(rejected)}`);
  };
  return {
    async feed(operations) {
      await parts.feed(driver, operations);
      refuseRejections();
    },
    async act(operation) {
      if (operation.key === 'clock') {
        clock = operation.value as number;
        await driver.setClock(clock);
      } else if (operation.key === 'tick') {
        await driver.tick();
      } else if (parts.act !== undefined) {
        await parts.act(driver, operation);
      } else if (operation.key === 'watermark') {
        await driver.advanceWatermark(operation.value as number | 'max');
      } else {
        throw new Error(`no step ${operation.key}`);
      }
      refuseRejections();
    },
    async restore(how) {
      const snapshot = await driver.snapshot();
      if (how === 'anew') {
        driver.close();
        driver = await open();
      }
      await driver.restore(snapshot);
    },
    take: () => parts.take(driver),
    close: () => driver.close(),
  };
}
