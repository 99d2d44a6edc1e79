/**
 * How a topology moves between the engine here and a job on Flink: state does not move, the
 * positions of its sources do. Pure.
 *
 * Invariants:
 * 1. A position is that of the last record that was read: either side begins behind it, so that no
 *    record is read twice and none is passed over.
 * 2. Windows that are open do not follow. So what moves was drained, which emits them; a checkpoint
 *    that is not the end of a drain is refused unless that is asked for.
 */
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { comparePositions } from '../../schemas/ports/record-reader.ts';
import type { Manifest, SplitMark } from '../../topology/checkpoint/manifest.ts';
import { manifestVersion, statefulNodes } from '../../topology/checkpoint/manifest.ts';
import type { Plan } from '../../topology/plan/plan.ts';
import type { FlinkSettings, PlaceSettings } from './settings.ts';

/** Of one source: by `path split`, the last position that was read. */
type SourcePositions = Readonly<Record<string, string>>;
/** By source. */
export type Positions = Readonly<Record<string, SourcePositions>>;

/** Connectors that begin at positions: they are called as the path that they read. */
const paths: readonly string[] = ['kinesis', 'kafka'];

export interface MovedSettings {
  readonly settings: FlinkSettings;
  readonly splits: number;
  /** What does not move as it is, in sentences. */
  readonly notes: readonly string[];
}

/**
 * The settings of a job that begins where a checkpoint ends. `orOpen`: also where it was not
 * drained. Throws `SluiceError` `flink-positions`.
 */
export function movedSettings(
  settings: FlinkSettings,
  manifest: Manifest,
  { orOpen }: { readonly orOpen: boolean },
): MovedSettings {
  const { topology, checkpoint, drained, positions, marks = {}, skips = [] } = manifest;
  if (drained !== true && !orOpen)
    throw new SluiceError(
      'flink-positions',
      `checkpoint ${checkpoint} of '${topology}' is not the end of a drain: windows that are open in it would be lost`,
      { fix: `run \`sluice drain ${topology}\` first, or pass --not-drained to lose them` },
    );
  const notes: string[] = [];
  let splits = 0;
  const sources = Object.entries(settings.sources).map(([id, places]) => {
    const { known, unread } = knownPositions(positions[id] ?? {}, marks[id] ?? {});
    splits += Object.keys(known).length;
    for (const split of unread)
      notes.push(`${id}: nothing was read of ${split} yet: the job begins with its oldest record`);
    return [id, movedPlaces(id, places, known)] as const;
  });
  for (const { source, path, split, kind } of skips)
    if (kind === 'whole')
      notes.push(`${source}: ${path} ${split} was skipped as a whole: the job reads it`);
  return { settings: { ...settings, sources: Object.fromEntries(sources) }, splits, notes };
}

/** `unread`: splits that do not begin with their oldest record, and have no position yet. */
function knownPositions(
  positions: SourcePositions,
  marks: Readonly<Record<string, SplitMark>>,
): { readonly known: SourcePositions; readonly unread: readonly string[] } {
  const known: Record<string, string> = { ...positions };
  const unread: string[] = [];
  for (const [split, { begins, fromMs }] of Object.entries(marks)) {
    if (known[split] !== undefined) continue;
    // Offsets count one by one; sequence numbers of shards do not.
    if (split.startsWith('kafka ') && begins !== undefined && begins !== '0')
      known[split] = String(BigInt(begins) - 1n);
    else if (fromMs !== undefined) unread.push(split);
  }
  return { known, unread };
}

/** Throws `SluiceError` `flink-positions` for positions that no place reads. */
function movedPlaces(
  source: string,
  places: FlinkSettings['sources'][string],
  known: SourcePositions,
): FlinkSettings['sources'][string] {
  const all: readonly PlaceSettings[] = Array.isArray(places) ? places : [places as PlaceSettings];
  const missing = Object.keys(known).filter(
    (key) => !all.some(({ connector }) => connector === pathOf(key)),
  );
  const [first] = missing;
  if (first !== undefined)
    throw new SluiceError(
      'flink-positions',
      `sources.${source} has no place with the connector ${pathOf(first)}, and ${missing.length} splits of that path were read here`,
      { fix: `add one, or the job reads nothing of ${pathOf(first)}` },
    );
  const moved = all.map((place) =>
    paths.includes(place.connector)
      ? { ...place, from: { positions: ofPath(place, known) } }
      : place,
  );
  return Array.isArray(places) ? moved : (moved[0] as PlaceSettings);
}

const ofPath = ({ connector }: PlaceSettings, known: SourcePositions): SourcePositions =>
  Object.fromEntries(
    Object.entries(known)
      .filter(([key]) => pathOf(key) === connector)
      .map(([key, position]) => [key.slice(connector.length + 1), position]),
  );

const pathOf = (key: string): string => key.slice(0, key.indexOf(' '));

/** As the job names the accumulator of a source (job/, Positions.java). */
const accumulator = 'sluice.positions.';
/** In a log: the name and its value. */
const logged = /sluice\.positions\.(\S+) (\{[^{}]*\})/g;

/** Positions among the accumulators of a job, `{name: value}`. */
export function positionsOfAccumulators(
  values: Iterable<readonly [name: string, value: string]>,
): Positions {
  const found: Record<string, Record<string, string>> = {};
  for (const [name, value] of values)
    if (name.startsWith(accumulator)) add(found, name.slice(accumulator.length), value);
  return found;
}

/** The same of a text in which the job wrote them when it ended, such as its log. */
export function positionsOfText(text: string): Positions {
  const found: Record<string, Record<string, string>> = {};
  for (const [, source = '', value = ''] of text.replaceAll('\\"', '"').matchAll(logged))
    add(found, source, value);
  return found;
}

/** Where several subtasks know of one split, the later position is right. */
function add(all: Record<string, Record<string, string>>, source: string, value: string): void {
  const known = (all[source] ??= {});
  for (const [split, position] of Object.entries(parsed(value))) {
    const was = known[split];
    if (was === undefined || comparePositions(position, was) > 0) known[split] = position;
  }
}

const splitPattern = /^(?:kinesis|kafka) \S+$/;

/** Throws `SluiceError` `flink-positions`. */
function parsed(value: string): SourcePositions {
  let found: unknown;
  try {
    found = JSON.parse(value);
  } catch {
    found = undefined;
  }
  const entries = typeof found === 'object' && found !== null ? Object.entries(found) : undefined;
  const isRight = entries?.every(
    ([split, position]) => splitPattern.test(split) && /^\d+$/.test(String(position)),
  );
  if (entries !== undefined && isRight === true) return Object.fromEntries(entries);
  throw new SluiceError(
    'flink-positions',
    `positions of a job cannot be read: expected {"kafka partition-0": "17"}, found ${value.slice(0, 100)}`,
    { fix: 'take them from `sluice flink status --json`, or from the log of the job' },
  );
}

/**
 * A savepoint with positions alone, as of a topology that was drained: what starts from it reads on
 * there, with empty state. Throws `SluiceError` `flink-positions`.
 */
export function positionsManifest(plan: Plan, positions: Positions, nowMs: number): Manifest {
  const sources = statefulNodes(plan).filter(({ kind }) => kind === 'source');
  const known = sources.map(({ id }) => id);
  const strange = Object.keys(positions).filter((id) => !known.includes(id));
  const missing = known.filter((id) => Object.keys(positions[id] ?? {}).length === 0);
  if (strange.length > 0 || missing.length > 0)
    throw new SluiceError(
      'flink-positions',
      strange.length > 0
        ? `'${plan.name}' has no source '${strange.join("', '")}'; it has '${known.join("', '")}'`
        : `the job has no position of '${missing.join("', '")}'`,
      {
        fix:
          strange.length > 0
            ? 'pass the file of the topology that the job ran'
            : 'a source that read nothing has none; start here with --from oldest or latest instead',
      },
    );
  return {
    manifestVersion,
    topology: plan.name,
    version: plan.version,
    ...{ checkpoint: 1, attempt: 1, createdAtMs: nowMs, drained: true },
    stateful: sources,
    positions,
    // Known splits: without a mark one counts as new.
    marks: Object.fromEntries(
      Object.entries(positions).map(([id, splits]) => [
        id,
        Object.fromEntries(Object.keys(splits).map((split) => [split, {}])),
      ]),
    ),
    ...{ operators: {}, sinks: {}, retiring: [], keyExamples: {}, counts: {} },
  };
}
