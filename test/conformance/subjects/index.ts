/**
 * Every operator of the format, by name.
 */
import { keyGroupOf, operatorIndexOf } from '../../../topology/index.ts';
import type { Config, Json } from '../case.ts';
import type { OperatorName } from '../format.ts';
import type { Session, Subject } from '../session.ts';
import { intervalJoinSubject } from './interval-join.ts';
import { deduplicateSubject, timersSubject, ttlSubject } from './state.ts';
import { mergeSubject, watermarksSubject } from './watermarks.ts';
import { assignSubject, windowSubject } from './window.ts';

/** Key groups are a pure function: there is no driver, and nothing to restore. */
function keyGroupSubject(config: Config): Promise<Session> {
  const { maxParallelism, parallelism } = config as {
    readonly maxParallelism: number;
    readonly parallelism: number;
  };
  let found: Json[] = [];
  return Promise.resolve({
    feed: () => Promise.reject(new Error('a key group takes no elements')),
    act: ({ value }) => {
      const keyGroup = keyGroupOf(value as string, maxParallelism);
      found.push(keyGroup, operatorIndexOf(keyGroup, parallelism, maxParallelism));
      return Promise.resolve();
    },
    restore: () => Promise.resolve(),
    take: () => {
      const taken = { expect: found };
      found = [];
      return taken;
    },
    close: () => undefined,
  });
}

export const subjects: Readonly<Record<OperatorName, Subject>> = {
  assign: assignSubject,
  window: windowSubject,
  intervalJoin: intervalJoinSubject,
  watermarks: watermarksSubject,
  merge: mergeSubject,
  timers: timersSubject,
  ttl: ttlSubject,
  deduplicate: deduplicateSubject,
  keyGroup: keyGroupSubject,
};
