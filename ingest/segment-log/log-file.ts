/**
 * The file operations that a log's durability rests on, as a port: tests put a full or a failing
 * disk after it.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

export interface LogFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Data, and the length that is needed to read it, are on the disk when it resolves. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
}

/** Opens for writing, creating the file when it is missing. */
export type OpenLogFile = (path: string) => Promise<LogFile>;

export const openLogFile: OpenLogFile = async (path) => {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT);
  return {
    async write(bytes, position) {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          bytes.length - done,
          position + done,
        );
        done += bytesWritten;
      }
    },
    datasync: () => handle.datasync(),
    truncate: (length) => handle.truncate(length),
    close: () => handle.close(),
  };
};
