/**
 * A segment's file whose calls fail when a test says so, as a disk does: a write that runs out of
 * room has written half.
 */
import type { LogFile } from '../../../ingest/segment-log/log-file.ts';
import { openLogFile } from '../../../ingest/segment-log/log-file.ts';

export const failed = (code: string): Promise<never> =>
  Promise.reject(Object.assign(new Error(`${code}: it failed`), { code }));

/** `fails` is asked at each call, by its name, whether this one does. */
export function failingFile(fails: (call: string) => boolean): (path: string) => Promise<LogFile> {
  return async (path) => {
    const file = await openLogFile(path);
    if (fails('open')) {
      await file.close();
      return failed('EIO');
    }
    return {
      async write(bytes, position) {
        if (!fails('write')) return file.write(bytes, position);
        await file.write(bytes.subarray(0, Math.floor(bytes.length / 2)), position);
        return failed('ENOSPC');
      },
      datasync: async () => (fails('datasync') ? failed('EIO') : file.datasync()),
      truncate: async (length) => (fails('truncate') ? failed('EIO') : file.truncate(length)),
      close: () => file.close().then(() => (fails('close') ? failed('EIO') : undefined)),
    };
  };
}
