/**
 * A topology on Flink's operators, step by step, behind the interface of the test driver: what the
 * cases do to one they do to the other.
 */

import { flinkPlan } from '../../../deploy/flink/plan.ts';
import type { Topology } from '../../../topology/index.ts';
import { rowKinds } from '../../../topology/operators/batch.ts';
import type { SourceNode } from '../../../topology/operators/source/kind.ts';
import { keyOfSplit, originOf } from '../../../topology/runtime/driver/entries.ts';
import { encodeOrigin } from '../../../topology/state/origin.ts';
import type {
  DrivenRejection,
  DrivenRow,
  DrivenSignal,
  DriverOptions,
  Pushed,
  SourceSelection,
} from '../../../topology/testing.ts';
import type { CaseDriver, OpenDriver } from '../session.ts';
import type { GivenCase } from '../subjects/topologies.ts';
import type { Answer, CaseServer } from './case-server.ts';

const defaultSplit = '0';

/** What came out since the last answer. */
interface Taken {
  readonly rows: Readonly<Record<string, readonly DrivenRow[]>>;
  readonly signals: Readonly<Record<string, readonly DrivenSignal[]>>;
}

/** `given`: by what the bundle makes the topology that is opened. `settings`: of the job. */
export function flinkOpener(
  server: CaseServer,
  given: GivenCase,
  settings: Readonly<Record<string, unknown>> = {},
): (...of: Parameters<OpenDriver>) => Promise<FlinkDriver> {
  return async (topology, options) => {
    const session = server.nextSession();
    await server.ask({
      op: 'open',
      session,
      plan: JSON.stringify(flinkPlan(topology)),
      given: JSON.stringify(given),
      parallelism: options.parallelism ?? 1,
      now: options.now ?? 0,
      ...settings,
    });
    return new FlinkDriver(server, session, topology, options);
  };
}

export class FlinkDriver implements CaseDriver {
  readonly #server: CaseServer;
  readonly #session: string;
  readonly #sources: readonly SourceNode[];
  readonly #splits: DriverOptions['splits'];
  readonly #rows = new Map<string, DrivenRow[]>();
  readonly #signals = new Map<string, DrivenSignal[]>();
  #nowMs: number;
  /** Its operators are opened with the first step: those of a snapshot, if that is restored. */
  #begun = false;

  constructor(server: CaseServer, session: string, { plan }: Topology, options: DriverOptions) {
    this.#server = server;
    this.#session = session;
    this.#sources = plan.nodes.filter((node) => node.kind === 'source');
    this.#splits = options.splits;
    this.#nowMs = options.now ?? 0;
  }

  async #begin(): Promise<void> {
    if (this.#begun) return;
    this.#begun = true;
    await this.#send('start', {});
    await this.#announce();
  }

  /** What there is to read: as the engine says it when a run begins. */
  async #announce(): Promise<void> {
    const all = this.#sources.flatMap(({ id }) => this.#splitsOf(id));
    for (const { id } of this.#sources) {
      await this.#control(id, rowKinds.splits, 0, all);
      for (const split of this.#splitsOf(id))
        await this.#control(id, rowKinds.split, 0, { split, parents: [], told: false });
    }
    await this.#take();
  }

  push(
    source: string,
    values: unknown,
    { split }: { readonly split?: string } = {},
  ): Promise<void> {
    const all = (Array.isArray(values) ? values : [values]) as readonly unknown[];
    return this.pushAll(all.map((value) => ({ source, value, split: split ?? defaultSplit })));
  }

  async pushAll(pushed: readonly Pushed[]): Promise<void> {
    const rows = pushed.map(({ source, value, split }) => {
      const node = this.#sources.find(({ id }) => id === source);
      if (node === undefined) throw new Error(`no source ${source}`);
      const origin = encodeOrigin(originOf(node, split ?? defaultSplit, value));
      return { source, json: JSON.stringify(value), origin: JSON.stringify(origin) };
    });
    await this.#ask('push', { rows });
    await this.#take();
  }

  async advanceWatermark(at: number | 'max', selection: SourceSelection = {}): Promise<void> {
    if (at === 'max' && selection.source === undefined && selection.split === undefined)
      await this.#ask('end', {});
    else await this.#controlAll(rowKinds.watermark, at, selection);
    await this.#take();
  }

  async idle(selection: SourceSelection = {}): Promise<void> {
    await this.#controlAll(rowKinds.idle, 0, selection);
    await this.#take();
  }

  async active(selection: SourceSelection = {}): Promise<void> {
    await this.#controlAll(rowKinds.active, 0, selection);
    await this.#take();
  }

  async setClock(ms: number): Promise<void> {
    this.#nowMs = ms;
    await this.#ask('clock', { ms });
    await this.#take();
  }

  async tick(): Promise<void> {
    for (const { id } of this.#sources) await this.#control(id, rowKinds.tick, this.#nowMs, null);
    await this.#take();
  }

  /** Waits until answers to look-ups have come, or for `ms`. */
  async answers(ms: number): Promise<void> {
    await this.#ask('await', { ms });
    await this.#take();
  }

  read(sink: string): readonly DrivenRow[] {
    return this.#rows.get(sink)?.splice(0) ?? [];
  }

  signals(sink: string): readonly DrivenSignal[] {
    return this.#signals.get(sink)?.splice(0) ?? [];
  }

  rejected(): readonly DrivenRejection[] {
    const rejected = this.#rows.get('rejected elements')?.splice(0) ?? [];
    return rejected.map(({ value }) => value as DrivenRejection);
  }

  async snapshot(): Promise<string> {
    return JSON.stringify((await this.#ask('snapshot', {}))['snapshot']);
  }

  async restore(snapshot: string): Promise<void> {
    this.#begun = true;
    await this.#send('restore', { snapshot: JSON.parse(snapshot) as number });
    await this.#announce();
  }

  close(): void {
    // What it was does not matter any more; a JVM that ended says so with the next command.
    this.#send('close', {}).catch(() => undefined);
  }

  async #controlAll(kind: number, at: number | 'max', selection: SourceSelection): Promise<void> {
    const { source, split } = selection;
    for (const { id } of this.#sources) {
      if (source !== undefined && source !== id) continue;
      await this.#control(
        id,
        kind,
        at,
        split === undefined ? this.#splitsOf(id) : keyOfSplit(id, split),
      );
    }
  }

  async #control(source: string, kind: number, at: number | 'max', value: unknown): Promise<void> {
    await this.#ask('control', { source, kind, at: String(at), value: JSON.stringify(value) });
  }

  #splitsOf(source: string): readonly string[] {
    return (this.#splits?.[source] ?? [defaultSplit]).map((split) => keyOfSplit(source, split));
  }

  async #ask(op: string, more: Readonly<Record<string, unknown>>): Promise<Answer> {
    await this.#begin();
    return this.#send(op, more);
  }

  #send(op: string, more: Readonly<Record<string, unknown>>): Promise<Answer> {
    return this.#server.ask({ op, session: this.#session, ...more });
  }

  async #take(): Promise<void> {
    const { rows, signals } = (await this.#ask('read', {})) as unknown as Taken;
    for (const [sink, taken] of Object.entries(rows)) append(this.#rows, sink, taken);
    for (const [sink, taken] of Object.entries(signals)) append(this.#signals, sink, taken);
  }
}

function append<T>(into: Map<string, T[]>, name: string, more: readonly T[]): void {
  const known = into.get(name);
  if (known === undefined) into.set(name, [...more]);
  else known.push(...more);
}
