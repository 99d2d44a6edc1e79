/**
 * State that is written anew when a run begins: in several runs where it is large, of which a
 * restore reads each entry once.
 */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { newRun } from '../../../schemas/run-id.ts';
import type { Manifest } from '../../../topology/checkpoint/manifest.ts';
import { manifestVersion, noState } from '../../../topology/checkpoint/manifest.ts';
import { Migrations, noMigrations } from '../../../topology/checkpoint/migrate-state.ts';
import { carryOver } from '../../../topology/checkpoint/restore.ts';
import { filesOf } from '../../../topology/checkpoint/sorted-runs/sorted-run.ts';
import { StateFiles } from '../../../topology/checkpoint/sorted-runs/state-files.ts';
import type { EntrySource, NodeEntry } from '../../../topology/checkpoint/stored-state.ts';
import { storedState } from '../../../topology/checkpoint/stored-state.ts';
import { ownState } from '../../../topology/runtime/own-state.ts';
import { never } from '../../../topology/state/entries.ts';
import { textOf } from '../../../topology/state/entry-text.ts';
import { memoryBlobs } from '../support.ts';

const random = seededRandom(1);
const noPlan = { name: 't', nodes: [] } as never;
const runMaxBytes = 20_000;
const entriesEach = 4_000;
const nodes = ['a', 'b'] as const;

function manifestOf(more: Partial<Manifest>): Manifest {
  return {
    manifestVersion,
    topology: 't',
    version: 1,
    checkpoint: 1,
    attempt: 1,
    createdAtMs: 0,
    stateful: [],
    positions: {},
    operators: { a: {}, b: {} },
    sinks: {},
    retiring: [],
    keyExamples: {},
    counts: {},
    ...more,
  };
}

async function* entries(): AsyncGenerator<readonly NodeEntry[]> {
  for (const node of nodes) {
    const part: NodeEntry[] = [];
    for (let n = 0; n < entriesEach; n++)
      part.push({
        node,
        name: 'rows',
        table: 0,
        group: n % 128,
        key: Buffer.from(`key ${n}`),
        time: n % 3 === 0 ? never : n + 1,
        value: Buffer.from(`${node} ${n}`),
      });
    for (let at = 0; at < part.length; at += 100) yield part.slice(at, at + 100);
  }
}

async function read(source: EntrySource): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for await (const part of source())
    for (const { node, key, time, value } of part) {
      const id = `${node} ${textOf(key)}`;
      expect(found.has(id)).toBe(false);
      found.set(id, `${time} ${textOf(value)}`);
    }
  return found;
}

describe('state that is written anew', () => {
  const made = (): {
    readonly files: StateFiles;
    readonly blobs: ReturnType<typeof memoryBlobs>;
  } => {
    const blobs = memoryBlobs();
    return { blobs, files: new StateFiles(blobs, 't', newRun(1, '00000000aa', random)) };
  };

  it('is in several runs where it is more than one may have, and is read back whole', async () => {
    const { files, blobs } = made();
    const stored = { manifest: manifestOf({}), entries, isWhole: true };
    const carried = { ...carryOver(undefined, noPlan, new Set(), 0), operators: { a: {}, b: {} } };
    const options = { savepoint: undefined, migrations: noMigrations, files, runMaxBytes };
    const { state = noState } = await ownState(stored, carried, options);
    expect(state.runs.length).toBeGreaterThan(3);
    expect(new Set(state.runs.map(({ id }) => id)).size).toBe(state.runs.length);
    expect(new Set(filesOf(state.runs))).toEqual(new Set(blobs.blobs.keys()));
    const again = storedState(manifestOf({ state }), noPlan, files, random);
    const all = await read(again.entries);
    expect(all.size).toBe(nodes.length * entriesEach);
    expect(all).toEqual(await read(entries));

    // A part of another version, in runs of its own behind those that are there.
    const ways = { kind: 'window', head: {}, state: {}, ways: [] } as never;
    const migrated = await ownState(
      again,
      { ...carried, state },
      {
        ...options,
        migrations: new Migrations(new Map([['b', ways]])),
        files: new StateFiles(blobs, 't', newRun(2, '00000000aa', random)),
      },
    );
    const then = migrated.state ?? noState;
    expect(then.runs.slice(0, state.runs.length)).toEqual(state.runs);
    expect(then.runs.length).toBeGreaterThan(state.runs.length + 1);
    expect(then.lastTable).toBe(state.lastTable + 1);
    const last = storedState(manifestOf({ state: then }), noPlan, files, random);
    expect(await read(last.entries)).toEqual(all);
  });
});
