/**
 * What a soak measures of the services while they run: memory after collection, open files, files
 * in spools and staging.
 */
import { readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { spoolDir } from '../../../deploy/host/layout.ts';
import { MemoryProbe } from '../../tools/collected-memory.ts';
import type { ServiceProcess } from '../../tools/service-process.ts';
import type { Rig } from '../streams/rig.ts';

export type Unit = 'MB' | 'files';

export interface Gauge {
  readonly name: string;
  readonly unit: Unit;
  /**
   * Whether it has to be flat; others are shown, as they tell what one that is not flat may come
   * from.
   */
  readonly isJudged: boolean;
  /** A difference that is none: half a file more in the median of few is no leak. */
  readonly slack: number;
}

const gauge = (
  name: string,
  unit: Unit,
  isJudged = true,
  slack = unit === 'files' ? 2 : 0,
): Gauge => ({ name, unit, isJudged, slack });

export const gauges: readonly Gauge[] = [
  gauge('memory of ingest after collection', 'MB'),
  gauge('memory of enrich after collection', 'MB'),
  gauge('open files of ingest', 'files'),
  gauge('open files of enrich', 'files'),
  gauge('files in spools', 'files'),
  gauge('files in staging', 'files'),
  gauge('resident memory of ingest', 'MB', false),
  gauge('resident memory of enrich', 'MB', false),
  gauge('files of checkpoints', 'files', false),
];

const mega = 1_000_000;

export class GaugeReader {
  readonly #rig: Rig;
  readonly #memory: readonly MemoryProbe[];

  constructor(rig: Rig) {
    this.#rig = rig;
    this.#memory = [new MemoryProbe(rig.ingest), new MemoryProbe(rig.enrich)];
  }

  /**
   * In the order of `gauges`; undefined where it could not be measured, as a fault has ended what
   * was asked.
   */
  async read(): Promise<readonly (number | undefined)[]> {
    const { cloud, stream, ingest, enrich } = this.#rig;
    const memory = await Promise.all(
      this.#memory.map((probe) => probe.ask().catch(() => undefined)),
    );
    const megabytes = (bytes: number | undefined): number | undefined =>
      bytes === undefined ? undefined : bytes / mega;
    const kept = (prefix: string): Promise<number> => keysIn(cloud.keys(stream, prefix));
    return [
      ...memory.map((found) => megabytes(found?.heldBytes)),
      openFiles(ingest),
      openFiles(enrich),
      await filesIn(spoolDir(ingest.dir)),
      (await kept('lake/.staging/')) + (await kept('graph-staging/')),
      ...memory.map((found) => megabytes(found?.residentBytes)),
      await kept('checkpoints/'),
    ];
  }
}

/** As Linux shows them. */
function openFiles({ pid }: ServiceProcess): number | undefined {
  try {
    return readdirSync(join('/proc', String(pid), 'fd')).length;
  } catch {
    return undefined;
  }
}

async function filesIn(dir: string): Promise<number> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).length;
}

async function keysIn(keys: AsyncIterable<string>): Promise<number> {
  let count = 0;
  for await (const _ of keys) count++;
  return count;
}
