/**
 * Folders and batches for sinks, and published Parquet files read back.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { afterAll } from 'vitest';
import { localLake } from '../../deploy/stores/local/local-lake-files.ts';
import { s3Lake } from '../../deploy/stores/s3/s3-lake-files.ts';
import type { S3Place } from '../../deploy/stores/s3/s3-objects.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { systemClock } from '../../schemas/kernel/clock.ts';
import type { LakeStore } from '../../schemas/ports/lake-files.ts';
import type { ElementBatch } from '../../topology/index.ts';

export function batchOf(
  values: readonly unknown[],
  timestampOf: (value: unknown, index: number) => number,
): ElementBatch {
  return {
    length: values.length,
    values,
    timestamps: values.map(timestampOf),
    origins: values.map(() => undefined),
  };
}

/** A folder's path, or a place in a bucket. */
export type LakePlace = string | S3Place;

export const lakeAt = (place: LakePlace): LakeStore =>
  typeof place === 'string' ? localLake(place) : s3Lake(place);

/** Makes new folders, removed after the test file's last test. */
export function temporaryFolders(name: string): () => string {
  const root = mkdtempSync(join(tmpdir(), `sluice-${name}-`));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  let made = 0;
  return () => join(root, String(made++));
}

/** Published files with rows of a table, relative to its folder, sorted. */
export function filesOf(lake: string, table: string): readonly string[] {
  const folder = join(lake, table);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.parquet') && !path.endsWith('columns~.parquet'))
    .sort();
}

export async function rowsOf(
  lake: string,
  table: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const rows: Readonly<Record<string, unknown>>[] = [];
  for (const path of filesOf(lake, table)) {
    const bytes = readFileSync(join(lake, table, path));
    const file = bytes.buffer.slice(
      bytes.byteOffset,
      bytes.byteOffset + bytes.byteLength,
    ) as ArrayBuffer;
    rows.push(...(await parquetReadObjects({ file })));
  }
  return rows;
}

/** Time that passes so many times as fast: for what waits for minutes against a real server. */
export function fasterClock(times: number): Clock {
  return {
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic() * times,
    setTimer: (ms, fire) => systemClock.setTimer(ms / times, fire),
  };
}
