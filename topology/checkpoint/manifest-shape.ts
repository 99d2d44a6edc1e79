/**
 * Whether a document is a manifest through and through: what is read of it later has the type that
 * it should have, and names no file but its own. A manifest may come from a copy, and from anyone
 * who may write where checkpoints are.
 *
 * Invariants:
 * 1. The heads of operators, the states of sinks and what definitions say are not looked into: who
 *    reads them does. A sink's own definition is: it may be opened as it stands there.
 * 2. It looks at every part once.
 */
import type { Check } from '../../schemas/shape.ts';
import {
  anything,
  date,
  flag,
  found,
  listOf,
  mapOf,
  objectOf,
  oneOf,
  text,
  textOrNull,
  whole,
  wholeTo,
} from '../../schemas/shape.ts';
import { sinkShape } from '../operators/sink/sinks.ts';
import { keyGroups } from '../state/entries.ts';
import { claimedHash } from './sorted-runs/file-format.ts';

/** Manifests of more are not listed (store.ts), and attempts are multiplied by ten there. */
const checkpointsMax = 1e10 - 2;
const attemptsMax = 1e14;
/** A table's number has 32 bits in files. */
const tablesMax = 0xffff_fffe;
/** As much of a file's name is told. */
const placeMaxChars = 200;

/** `filesIn`: what the names of its files begin with, up to the last part. */
export function manifestProblem(manifest: object, filesIn: string): string | undefined {
  return shape(manifest, '') ?? filesProblem(manifest, filesIn);
}

/** What version 2 is rewritten from, before `manifestProblem` looks at the rest. */
export function version2Problem(manifest: object): string | undefined {
  return objectOf({}, { stateful: listOf(objectOf({ id: text, kind: text })) })(manifest, '');
}

/** A file outside would be read, and deleted once no manifest names it. */
function filesProblem(manifest: object, filesIn: string): string | undefined {
  const { state } = manifest as { readonly state?: Named };
  const names = new Set<string>();
  for (const { files } of state?.runs ?? [])
    for (const { name } of files) {
      const own = name.startsWith(filesIn) ? name.slice(filesIn.length) : '';
      if (own.includes('/') || claimedHash(own) === undefined)
        return `it names a file that is not in its folder: '${name.slice(0, placeMaxChars)}'`;
      if (names.has(name)) return `it names ${name} twice`;
      names.add(name);
    }
  return undefined;
}

interface Named {
  readonly runs: readonly { readonly files: readonly { readonly name: string }[] }[];
}

const tableNumber = wholeTo(tablesMax);
const time = oneOf(
  "a number, 'min' or 'max'",
  (value) => typeof value === 'number' || value === 'min' || value === 'max',
);

/** The head of its sections says that a table and a key group are these. */
const place: Check = (value, at) =>
  listOf(whole)(value, at) ??
  ((value as unknown[]).length === 2 ? undefined : found('two numbers', value, at));

const file = objectOf({
  name: text,
  bytes: whole,
  first: place,
  last: place,
  tables: listOf(
    objectOf(
      { table: whole, puts: whole, removed: whole },
      { latest: oneOf("a number or 'never'", (is) => typeof is === 'number' || is === 'never') },
    ),
  ),
});

const state = objectOf({
  keyGroups: (value, at) =>
    value === keyGroups
      ? undefined
      : `it has ${String(value)} key groups at '${at}', not ${keyGroups}`,
  tables: listOf(objectOf({ number: tableNumber, node: text, name: text })),
  lastTable: tableNumber,
  runs: listOf(objectOf({ id: text, files: listOf(file) })),
  deadThrough: mapOf(time),
});

const definition = objectOf(
  {
    options: mapOf(anything),
    inputs: listOf(
      objectOf({ origins: listOf(text), anchor: text, path: text, schema: textOrNull }),
    ),
  },
  { sink: sinkShape },
);

const stateful = objectOf(
  { id: text, kind: text },
  { definition, since: date, era: whole, parts: mapOf(date) },
);

const skip = objectOf(
  { source: text, path: text, split: text, after: textOrNull, to: textOrNull, kind: text },
  { from: text, atMs: date, why: text },
);

const mark = objectOf({}, { readToMs: date, ended: flag, begins: text, fromMs: date });

const span = objectOf({ split: text, from: text, through: text });

const slot = { node: text, slot: text };

const isolation = objectOf(
  {
    tries: whole,
    alone: listOf(span),
    eachTurn: listOf(span),
    setAside: listOf(objectOf({ split: textOrNull, place: textOrNull, message: text })),
    watched: listOf(objectOf(slot)),
    refused: listOf(objectOf({ ...slot, digest: text })),
  },
  { doubted: objectOf({ split: text, place: text }) },
);

const loss = objectOf({ source: text, split: text, kind: text, after: textOrNull });

const shape = objectOf(
  {
    topology: text,
    version: oneOf('a number', (value) => typeof value === 'number'),
    checkpoint: wholeTo(checkpointsMax),
    attempt: wholeTo(attemptsMax),
    createdAtMs: date,
    stateful: listOf(stateful),
    positions: mapOf(mapOf(text)),
    operators: mapOf(anything),
    sinks: mapOf(anything),
    retiring: listOf(objectOf({ id: text, sink: sinkShape })),
    keyExamples: mapOf(listOf(objectOf({ slot: text, key: text }))),
    counts: mapOf(mapOf(whole)),
  },
  {
    lineage: oneOf(
      'ten hexadecimal digits',
      (value) => typeof value === 'string' && /^[0-9a-f]{10}$/.test(value),
    ),
    fence: flag,
    drained: flag,
    settled: flag,
    isolation,
    state,
    skips: listOf(skip),
    marks: mapOf(mapOf(mark)),
    losses: objectOf({ total: whole, records: whole, uncounted: whole, last: listOf(loss) }),
  },
);
