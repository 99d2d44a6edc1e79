/**
 * Plays a history to a topology as a job, over as many runs as it takes, and compares what came out
 * with the oracle's answer.
 */
import type { ManualClock } from '../../schemas/kernel/clock.ts';
import { afterThisRound, manualClock } from '../../schemas/kernel/clock.ts';
import { messageOf } from '../../schemas/kernel/errors.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { Job, Topology } from '../../topology/index.ts';
import { createJob } from '../../topology/index.ts';
import { inlineWorkers } from '../../topology/runtime/parallel/inline-workers.ts';
import type { Services } from './build.ts';
import { connectorsOf, streamName, topologyOf } from './build.ts';
import { differencesOf } from './compare.ts';
import type { Layout } from './layout.ts';
import { layoutOf, streamCount } from './layout.ts';
import type { Answer, LateIds } from './oracle.ts';
import { answerOf } from './oracle.ts';
import type { Game, History, Step } from './plan.ts';
import { Sender } from './sender.ts';
import { Gate, World, worldSplit } from './world.ts';

const stepMs = 50;
/** No run takes so long to end, or to read what there is, once nothing is in its way. */
const hangMs = 120_000;
/** A planned fault ends a run, and so does an older run's last checkpoint; not each. */
const drainTriesMax = 10;

interface Run {
  readonly job: Job;
  readonly gate: Gate;
  /** Why it ended, once it has: undefined by itself. */
  ended: { readonly thrown: unknown } | undefined;
  opened: boolean;
}

class Player {
  readonly #clock: ManualClock;
  readonly #world: World;
  readonly #sender: Sender;
  readonly #topology: Topology;
  readonly #lookups: ReturnType<typeof connectorsOf>;
  readonly #history: History;
  readonly #gates: Gate[] = [];
  readonly answers: Answer[] = [];
  readonly troubles: string[] = [];
  readonly #layout: Layout;
  readonly #late: boolean;
  #run: Run;

  constructor(layout: Layout, { history, late }: Game) {
    this.#late = late;
    this.#layout = layout;
    this.#history = history;
    this.#clock = manualClock(history.startMs);
    const services: Services = { clock: this.#clock, asked: new Map() };
    this.#topology = topologyOf(layout, services);
    this.#lookups = connectorsOf(layout, services);
    this.#world = new World(
      Array.from({ length: streamCount }, (_, n) => ({
        splits: Array.from({ length: history.splits[n] ?? 1 }, (__, split) =>
          worldSplit(`${split}`, split === 1 ? 'kafka' : 'kinesis'),
        ),
        asksLatest: n !== 1,
      })),
    );
    this.#sender = new Sender(this.#world, layout.plan, history.startMs);
    this.#run = this.#start();
  }

  get world(): World {
    return this.#world;
  }

  get runs(): number {
    return this.#gates.length;
  }

  #start(): Run {
    const gate = new Gate();
    this.#gates.push(gate);
    const clock = this.#clock;
    const { turnRecords, checkpointMs, liveStateMaxBytes, parallelisms = [1] } = this.#history;
    const parallelism = parallelisms[(this.#gates.length - 1) % parallelisms.length] ?? 1;
    const job = createJob({
      topology: this.#topology,
      blobs: this.#world.blobs(gate),
      connectors: this.#world.connectors(
        gate,
        (name) => Number(name.slice(streamName(0).length - 1)),
        this.#lookups,
      ),
      clock: { ...clock, setTimer: (ms, fire) => clock.setTimer(ms, () => gate.dead || fire()) },
      random: seededRandom(1),
      checkpointIntervalMs: checkpointMs,
      liveStateMaxBytes,
      turnBounds: { maxRecords: turnRecords, maxBytes: 1e7 },
      keyedWorkers:
        parallelism === 1
          ? undefined
          : (topology) => {
              const room = { liveStateMaxBytes };
              return inlineWorkers(topology, parallelism, { clock, random: seededRandom(1), room });
            },
    });
    const run: Run = { job, gate, ended: undefined, opened: false };
    void (async () => {
      try {
        await job.open();
        run.opened = true;
        await job.run();
        run.ended = { thrown: undefined };
      } catch (thrown) {
        run.ended = { thrown };
      }
    })();
    return run;
  }

  /**
   * Time goes on until `ms` passed or `done`; a run that died or failed is followed by the next.
   */
  async #pass(ms: number, done: () => boolean = () => false): Promise<boolean> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await new Promise<void>((resolve) => afterThisRound(resolve));
      if (done()) return true;
      const { ended, gate } = this.#run;
      if (gate.dead || ended !== undefined) this.#follow();
      this.#clock.advance(stepMs);
    }
    return done();
  }

  #follow(): void {
    const { ended, job } = this.#run;
    const thrown = ended?.thrown;
    if (thrown !== undefined && !isPlanned(thrown))
      this.troubles.push(`the run ended: ${messageOf(thrown)}`);
    if (ended !== undefined) void job.close();
    this.#run = this.#start();
  }

  async #stop(): Promise<void> {
    const run = this.#run;
    await this.#pass(hangMs, () => run.opened || run.gate.dead || run.ended !== undefined);
    run.job.stop();
    if (!(await this.#pass(hangMs, () => run.ended !== undefined || run.gate.dead)))
      this.troubles.push('a run does not stop');
  }

  /**
   * Everything that was sent is read, and time ends: what has come out by then has to be the
   * answer.
   */
  async #drain(): Promise<void> {
    this.#sender.mendAll();
    for (let tries = 0; tries < drainTriesMax; tries++) {
      const run = this.#run;
      const isOver = (): boolean => run.gate.dead || run.ended !== undefined;
      await this.#pass(hangMs, () => run.opened || isOver());
      if (run.opened) void run.job.drain().catch(() => undefined);
      if (!(await this.#pass(hangMs, isOver))) {
        this.troubles.push('a drain does not end');
        return;
      }
      const drained = run.ended !== undefined && run.ended.thrown === undefined;
      if (drained) this.troubles.push(...(await conservationOf(run.job, this.#late)));
      this.#follow();
      if (drained) return;
    }
    this.troubles.push(`no run was drained in ${drainTriesMax}`);
  }

  async step(step: Step): Promise<void> {
    switch (step.do) {
      case 'event':
        return this.#sender.send(step, this.#clock.now());
      case 'pass':
        await this.#pass(step.ms);
        return;
      case 'fault':
        this.#sender.split(step).fault = step.fault;
        return;
      case 'mend':
        return this.#sender.mendAll();
      case 'reshard':
        return this.#sender.reshard(step);
      case 'crash':
        return this.#run.gate.plan(step.calls, step.how);
      case 'restart':
        if (step.how === 'stop') await this.#stop();
        if (step.how === 'kill') this.#run.gate.dead = true;
        this.#clock.advance(step.downMs);
        this.#follow();
        return;
      case 'drain':
        return this.#endSegment();
    }
  }

  async #endSegment(): Promise<void> {
    await this.#drain();
    this.answers.push(answerOf(this.#layout, this.#sender.take(), this.lateIds()));
  }

  /** What the topology itself said is late. */
  lateIds(): LateIds {
    const late = new Map<string, string[]>();
    for (const text of this.#world.visible('rejected')) {
      const [code, sink = '', id = ''] = text.split(' ');
      if (code === 'late') late.set(sink, [...(late.get(sink) ?? []), id]);
    }
    return late;
  }

  async end(): Promise<void> {
    for (const gate of this.#gates) gate.spare();
    await this.#endSegment();
    for (const gate of this.#gates) gate.dead = true;
  }
}

const isPlanned = (thrown: unknown): boolean =>
  ['worker-ended', 'fenced'].includes((thrown as { readonly code?: string }).code ?? '');

/**
 * What went in came out in one way or another, at every node, and nothing was late that may not be.
 */
async function conservationOf(job: Job, late: boolean): Promise<readonly string[]> {
  const { nodes, drained } = await job.status();
  if (!drained) return ['a run that was drained does not say so'];
  return nodes.flatMap((node) => {
    const out =
      node.passed +
      node.filtered +
      node.late +
      node.deduplicated +
      node.rejected +
      (node.waiting ?? 0);
    return [
      ...(out === node.in ? [] : [`${node.id}: ${node.in} came in, ${out} are accounted for`]),
      ...(late || node.late + node.partiallyLate === 0
        ? []
        : [`${node.id}: ${node.late} are late, ${node.partiallyLate} in part`]),
    ];
  });
}

export interface Outcome {
  /** Between what came out and what is right. */
  readonly differences: readonly string[];
  readonly rows: number;
  readonly late: number;
  readonly runs: number;
}

/** Throws `Undetermined`. */
export async function play(game: Game): Promise<Outcome> {
  const layout = layoutOf(game.plan);
  const player = new Player(layout, game);
  try {
    for (const step of game.history.steps) await player.step(step);
  } finally {
    await player.end();
  }
  const { answers, world, runs } = player;
  const differences = [
    ...new Set(player.troubles),
    ...differencesOf(layout, answers, (sink) => world.visible(sink), game.late),
  ];
  const late = [...player.lateIds().values()].flat().length;
  return {
    differences,
    runs,
    late,
    rows: layout.sinks.reduce((rows, { id }) => rows + world.visible(id).length, 0),
  };
}
