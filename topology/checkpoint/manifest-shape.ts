/**
 * Whether a document is a manifest through and through: what is read of it later has the type that
 * it should have, and names no file but its own. A manifest may come from a copy, and from anyone
 * who may write where checkpoints are.
 *
 * Invariants:
 * 1. The heads of operators, the states of sinks and what definitions say are not looked into: who
 *    reads them does.
 * 2. It looks at every part once.
 */
import { pointerPart } from '../../schemas/json-pointer.ts';
import { keyGroups } from '../state/entries.ts';
import { claimedHash } from './sorted-runs/file-format.ts';

/** What is wrong with a value that is at a place of the document; undefined where nothing is. */
type Check = (value: unknown, at: string) => string | undefined;

/** Longest date of JavaScript, epoch ms (ECMA-262, 21.4.1.1). */
const dateMaxMs = 8.64e15;
/** Manifests of more are not listed (store.ts), and attempts are multiplied by ten there. */
const checkpointsMax = 1e10 - 2;
const attemptsMax = 1e14;
/** A table's number has 32 bits in files. */
const tablesMax = 0xffff_fffe;
/** As much of a place is told. */
const placeMaxChars = 200;

/** `filesIn`: what the names of its files begin with, up to the last part. */
export function manifestProblem(manifest: object, filesIn: string): string | undefined {
  return shape(manifest, '') ?? filesProblem(manifest, filesIn);
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

function found(expected: string, value: unknown, at: string): string {
  const is = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  const got = value === undefined ? 'nothing' : is;
  return `expected ${expected} at '${at.slice(0, placeMaxChars)}', got ${got}`;
}

const anything: Check = () => undefined;

function oneOf(expected: string, is: (value: unknown) => boolean): Check {
  return (value, at) => (is(value) ? undefined : found(expected, value, at));
}

const text = oneOf('a text', (value) => typeof value === 'string');
const flag = oneOf('true', (value) => value === true);
function wholeTo(most: number): Check {
  return oneOf(
    `a whole number from 0 to ${most}`,
    (value) => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most,
  );
}

const whole = wholeTo(Number.MAX_SAFE_INTEGER);
const tableNumber = wholeTo(tablesMax);
const date = oneOf(
  'a time in ms',
  (value) => typeof value === 'number' && Math.abs(value) <= dateMaxMs,
);
const time = oneOf(
  "a number, 'min' or 'max'",
  (value) => typeof value === 'number' || value === 'min' || value === 'max',
);
const textOrNull = oneOf('a text or null', (value) => value === null || typeof value === 'string');

function listOf(check: Check): Check {
  return (value, at) => {
    if (!Array.isArray(value)) return found('a list', value, at);
    for (const [index, part] of value.entries()) {
      const problem = check(part, `${at}/${index}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapOf(check: Check): Check {
  return (value, at) => {
    if (!isObject(value)) return found('an object', value, at);
    for (const [name, part] of Object.entries(value)) {
      const problem = check(part, `${at}/${pointerPart(name)}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** Other members are left alone. */
function objectOf(
  members: Readonly<Record<string, Check>>,
  optional: Readonly<Record<string, Check>> = {},
): Check {
  const all = [...Object.entries(members), ...Object.entries(optional)];
  return (value, at) => {
    if (!isObject(value)) return found('an object', value, at);
    for (const [name, check] of all) {
      const part = Object.hasOwn(value, name) ? value[name] : undefined;
      if (part === undefined && Object.hasOwn(optional, name)) continue;
      const problem = check(part, `${at}/${name}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

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
  { sink: objectOf({ kind: text }) },
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
    retiring: listOf(objectOf({ id: text, sink: objectOf({ kind: text }) })),
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
