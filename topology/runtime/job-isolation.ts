/**
 * How a job finds the element on which an operator fails: it processes suspects alone, rejects what
 * it found, and records for the next run how this one failed.
 *
 * Invariants:
 * 1. A suspected element gets its own turn, without clock, tick or waiting rows, so that nothing
 *    else can fail in it.
 * 2. The findings are in every checkpoint, and in one that repeats the last when a run fails: no
 *    run starts without them.
 */
import { messageOf, SluiceError, systemCodeOf } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { IncomingRecord } from '../../schemas/ports/record.ts';
import type {
  Isolation,
  IsolationNews,
  ReadSplit,
  RecordSpan,
  RunFailure,
  SetAside,
  TurnPart,
} from '../checkpoint/isolation.ts';
import {
  afterCheckpoint,
  deriveIsolation,
  isSuspecting,
  isWithin,
  nothingSuspected,
  partsOfTurn,
  placeOf,
} from '../checkpoint/isolation.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import { encodeManifest } from '../checkpoint/manifest.ts';
import type { CheckpointStore } from '../checkpoint/store.ts';
import type { Topology } from '../plan/plan.ts';
import type { AsideOf } from './enter-records.ts';
import type { SharedCalls } from './shared-calls.ts';
import type { WatchedCalls } from './watched-calls.ts';
import { watchCalls } from './watched-calls.ts';

/**
 * Faults of sinks and stores are operational, whatever element they had; these say that a state
 * cannot be written.
 */
const faultsOfState: ReadonlySet<string> = new Set(['state-unwritable', 'not-json-safe']);

/** What a turn may meet that is no element's fault: it reads state at rest. */
const faultOfDisk = 'state-disk-failed';

type Phase = 'turn' | 'write' | 'checkpoint' | undefined;

export class JobIsolation {
  #known: Isolation;
  /** The functions of the run, where somebody watches them. */
  #calls: WatchedCalls | undefined;
  #phase: Phase;
  #turn: { readonly span: RecordSpan; readonly place?: string } | undefined;
  /** What entered since the last checkpoint, by split. */
  readonly #entered = new Map<string, RecordSpan>();
  #turnsEntered = 0;
  #placeEntered: string | undefined;
  #completed = 0;
  #asides: Map<string, ReadonlyMap<string, SetAside>> | undefined;
  readonly #tell: (news: IsolationNews) => void;
  readonly #told = new Set<string>();

  constructor(known: Isolation | undefined, tell: (news: IsolationNews) => void) {
    this.#tell = tell;
    this.#known = known ?? nothingSuspected;
    if (this.#known.setAside.length > 0) this.#asides = bySplit(this.#known.setAside);
  }

  get known(): Isolation {
    return this.#known;
  }

  /** The last that were set aside, oldest first. */
  get lastAside(): readonly SetAside[] {
    return this.#known.setAside.slice(-limits.setAsideShown);
  }

  get isSuspecting(): boolean {
    return isSuspecting(this.#known);
  }

  partsOf(split: string, records: readonly IncomingRecord[]): readonly TurnPart[] {
    return partsOfTurn(this.#known, split, records);
  }

  /** Undefined where nothing of the split is set aside. */
  asideOf(split: string): AsideOf | undefined {
    const asides = this.#asides?.get(split);
    if (asides === undefined) return undefined;
    return (place) => {
      const aside = asides.get(place);
      if (aside !== undefined) this.#once({ kind: 'set-aside', aside });
      return aside;
    };
  }

  /**
   * The topology with functions that whoever shares `calls` sees; a call that did not return twice
   * is not made again.
   */
  watch(
    topology: Topology,
    calls: SharedCalls | undefined,
  ): Pick<WatchedCalls, 'topology'> & Partial<Pick<WatchedCalls, 'schemas'>> {
    if (calls === undefined) return { topology };
    this.#calls = watchCalls(topology, calls, this.#known, (call) =>
      this.#once({ kind: 'call-refused', call }),
    );
    return this.#calls;
  }

  #once(news: IsolationNews): void {
    const text = JSON.stringify(news);
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#tell(news);
  }

  /** A turn of these records begins. */
  enter(split: string, records: readonly IncomingRecord[], alone: boolean): void {
    const [first, last] = [records[0], records.at(-1)];
    if (first === undefined || last === undefined) return;
    const span = { split, from: first.position, through: last.position };
    this.#turn = alone ? { span, place: placeOf(first) } : { span };
    this.#phase = 'turn';
    this.#calls?.turn(this.#turn);
    this.#entered.set(split, { ...span, from: this.#entered.get(split)?.from ?? span.from });
    this.#turnsEntered++;
    this.#placeEntered = alone && this.#turnsEntered === 1 ? placeOf(first) : undefined;
  }

  runs(): void {
    this.#phase = 'turn';
  }

  writes(): void {
    this.#phase = 'write';
  }

  /** The turn is over. */
  over(): void {
    this.#phase = undefined;
    if (this.#turn === undefined) return;
    this.#turn = undefined;
    this.#calls?.turn(undefined);
  }

  /** Whether a checkpoint is to follow on this turn, before anything else enters. */
  wantsCheckpoint(split: string, position: string): boolean {
    return this.#known.eachTurn.length > 0 && isWithin(this.#known.eachTurn, split, position);
  }

  takes(): void {
    this.#phase = 'checkpoint';
  }

  /** What a checkpoint at these positions holds. */
  beyond(splits: readonly (ReadSplit & { readonly key: string })[]): Isolation | undefined {
    if (this.#known === nothingSuspected) return undefined;
    return afterCheckpoint(
      this.#known,
      (split) => splits.find(({ key }) => key === split),
      this.#completed + 1,
    );
  }

  /** Its states are text, its sinks have staged. */
  taken(known: Isolation | undefined): void {
    this.#phase = undefined;
    this.#entered.clear();
    this.#turnsEntered = 0;
    this.#completed++;
    this.#known = known ?? nothingSuspected;
    if (this.#known.watched.length === 0) this.#calls?.clear();
  }

  /** What the next run has to know of a failure; undefined where that was operational. */
  after(thrown: unknown, operator: string | undefined, nowMs: number): Isolation | undefined {
    const failure = this.#failureOf(thrown, operator);
    return failure === undefined ? undefined : deriveIsolation(this.#known, failure, nowMs);
  }

  #failureOf(thrown: unknown, operator: string | undefined): RunFailure | undefined {
    const message = messageOf(thrown);
    if (thrown instanceof SluiceError && thrown.code === faultOfDisk) return undefined;
    // Of the world, a turn through the operators asks nothing but its state.
    if (this.#phase === 'turn')
      return { kind: 'turn', span: this.#turn?.span, place: this.#turn?.place, operator, message };
    if (this.#phase === undefined || isOperational(thrown)) return undefined;
    if (this.#phase === 'write')
      return {
        kind: 'turn',
        span: this.#turn?.span,
        place: this.#turn?.place,
        operator: undefined,
        message,
      };
    return {
      kind: 'checkpoint',
      spans: [...this.#entered.values()],
      turns: this.#turnsEntered,
      place: this.#placeEntered,
      message,
    };
  }
}

/** What a job does of a turn. */
interface TurnSteps {
  /** What waited in operators leaves. */
  readonly waiting: () => Promise<void>;
  readonly run: (records: readonly IncomingRecord[], alone: boolean) => Promise<void>;
  readonly checkpoint: () => Promise<void>;
}

/** What is suspected has turns of its own, and where a checkpoint failed one after each turn. */
export async function runSuspected(
  split: string,
  records: readonly IncomingRecord[],
  isolation: JobIsolation,
  { waiting, run, checkpoint }: TurnSteps,
): Promise<void> {
  let entered = 0;
  for (const part of isolation.partsOf(split, records)) {
    // Before, and not beside what is alone.
    if (part.alone) await waiting();
    await run(part.records, part.alone);
    entered += part.records.length;
    const position = part.records.at(-1)?.position ?? '';
    const isCut = records[entered]?.position === position;
    if (!isCut && isolation.wantsCheckpoint(split, position)) await checkpoint();
  }
}

/**
 * What is known at the beginning of a run; `failure` is of the run before, where it could not keep
 * that itself.
 */
export function isolationAfter(
  before: Isolation | undefined,
  failure: RunFailure | undefined,
  nowMs: number,
): { readonly isolation?: Isolation } {
  const isolation =
    failure === undefined ? before : deriveIsolation(before ?? nothingSuspected, failure, nowMs);
  return isolation === undefined ? {} : { isolation };
}

/** Whether a run failed of one element that was alone. */
export function isNarrower(after: Isolation, before: Isolation): boolean {
  return (
    after.setAside.length > before.setAside.length ||
    (after.doubted !== undefined && after.doubted !== before.doubted)
  );
}

/**
 * Creates a manifest that repeats the last one of this run, with what is known now; says whether it
 * could.
 */
export async function keepIsolation(
  isolation: Isolation,
  store: CheckpointStore,
  run: Pick<Manifest, 'attempt' | 'lineage'>,
  checkpoints: { settled(): Promise<void> } | undefined,
): Promise<boolean> {
  try {
    await checkpoints?.settled();
    const latest = await store.latest();
    if (latest?.attempt !== run.attempt || latest.lineage !== run.lineage) return false;
    const kept: Manifest = { ...latest, checkpoint: latest.checkpoint + 1, isolation };
    await store.create(kept, encodeManifest(kept));
    return true;
  } catch {
    // What could not be kept is found again by the next run.
    return false;
  }
}

function isOperational(thrown: unknown): boolean {
  if (thrown instanceof SluiceError) return !faultsOfState.has(thrown.code);
  return systemCodeOf(thrown) !== undefined;
}

function bySplit(asides: readonly SetAside[]): Map<string, ReadonlyMap<string, SetAside>> {
  const found = new Map<string, Map<string, SetAside>>();
  for (const aside of asides) {
    if (aside.split === null || aside.place === null) continue;
    const ofSplit = found.get(aside.split) ?? new Map<string, SetAside>();
    ofSplit.set(aside.place, aside);
    found.set(aside.split, ofSplit);
  }
  return found;
}
