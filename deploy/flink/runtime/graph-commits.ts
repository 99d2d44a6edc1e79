/**
 * The commits of a graph sink in the job: the engine's own statements and books (enrich/graph/), over
 * a session whose calls the job carries out with its driver.
 *
 * An operation (`open`, `apply`) runs as a promise. Each call from the job runs it as far as it gets;
 * then `next` says what it wants, as JSON with `want`:
 *
 * - `transaction`: a write transaction, which the driver may try again. For each try the job calls
 *   `attempt`, then does what `next` says: `run` (a statement and its rows, answered by `answer` with
 *   the rows it returned), `end` (commit) or `abort` (roll back). Then it says how that ended:
 *   `committed`, `aborted` or `failed`.
 * - `define`: a change of the schema in a transaction of its own; answered by `answer` or `failed`.
 * - `done`, or `refused` with a fault: the operation is over.
 *
 * Invariants:
 * 1. One operation at a time, one transaction at a time.
 * 2. What an earlier try of a transaction waited for is never answered: it leaves nothing.
 */

import type { Row } from '../../../enrich/graph/cypher.ts';
import type {
  CypherGraph,
  CypherSession,
  Progress,
  RunStatement,
  SinkRun,
} from '../../../enrich/graph/graph-database.ts';
import { cypherDatabase, fenced, graphBehind } from '../../../enrich/graph/graph-database.ts';
import { defineOnce, makeConstraints } from '../../../enrich/graph/neo4j/make-constraints.ts';
import type { SchemaRule } from '../../../enrich/graph/neo4j/neo4j-constraints.ts';
import { showConstraints, showIndexes } from '../../../enrich/graph/neo4j/neo4j-constraints.ts';
import { neo4jDialect } from '../../../enrich/graph/neo4j/neo4j-dialect.ts';
import { faultOf } from '../../../enrich/graph/neo4j/neo4j-fault.ts';
import { messageOf, SluiceError } from '../../../schemas/kernel/errors.ts';
import type { RunOrder, RunTrace } from '../../../schemas/run-id.ts';
import type { GraphModel, GraphWrite } from '../../../topology/index.ts';

type Rows = readonly Readonly<Record<string, unknown>>[];

type Want =
  | { readonly want: 'transaction' | 'end' | 'abort' | 'done' }
  | { readonly want: 'run'; readonly text: string; readonly rows: readonly Row[] }
  | { readonly want: 'define'; readonly text: string }
  | {
      readonly want: 'refused';
      readonly code: string;
      readonly message: string;
      readonly fix: string;
    };

/** What the driver throws, as the job tells it. */
interface DriverFault {
  readonly code: string;
  readonly message: string;
  /** Whether the driver says that it may pass. */
  readonly mayPass: boolean;
}

interface Settled<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (thrown: unknown) => void;
}

interface Transaction extends Settled<unknown> {
  readonly work: (run: RunStatement) => Promise<unknown>;
}

/** A session that asks the job. */
class JobSession implements CypherSession {
  readonly dialect = neo4jDialect;
  readonly #url: string;
  #wants: Want[] = [];
  /** In the order of what was asked. */
  #asked: Settled<Rows>[] = [];
  #transaction: Transaction | undefined;
  /** How its last try ended. */
  #ended: { readonly value: unknown } | { readonly thrown: unknown } | undefined;
  #tries = 0;

  constructor(url: string) {
    this.#url = url;
  }

  define(statement: string): Promise<void> {
    return defineOnce(() => this.#ask({ want: 'define', text: statement }));
  }

  constrain(model: GraphModel): Promise<void> {
    return makeConstraints(model, {
      url: this.#url,
      rules: () => this.#rules(),
      define: (statement) => this.define(statement),
    });
  }

  transaction<T>(work: (run: RunStatement) => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#transaction = { work, resolve: resolve as Transaction['resolve'], reject };
      this.say({ want: 'transaction' });
    });
  }

  say(want: Want): void {
    this.#wants.push(want);
  }

  next(): string {
    const want = this.#wants.shift();
    if (want === undefined) throw new Error('the operation waits for nothing that the job can do');
    return JSON.stringify(want);
  }

  /** A new try: the transaction's work begins again. */
  attempt(): void {
    this.#wants = [];
    this.#asked = [];
    this.#ended = undefined;
    const mine = ++this.#tries;
    const over = (ended: { value: unknown } | { thrown: unknown }, want: 'end' | 'abort'): void => {
      if (mine !== this.#tries) return;
      this.#ended = ended;
      this.say({ want });
    };
    this.#transaction
      ?.work((text, rows) => this.#ask({ want: 'run', text, rows }))
      .then(
        (value) => over({ value }, 'end'),
        (thrown: unknown) => over({ thrown }, 'abort'),
      );
  }

  answer(rows: string): void {
    this.#asked.shift()?.resolve(JSON.parse(rows) as Rows);
  }

  committed(): void {
    const ended = this.#ended;
    this.#over()?.resolve(ended !== undefined && 'value' in ended ? ended.value : undefined);
  }

  aborted(): void {
    const ended = this.#ended;
    this.#over()?.reject(ended !== undefined && 'thrown' in ended ? ended.thrown : undefined);
  }

  failed(text: string): void {
    const { code, message, mayPass } = JSON.parse(text) as DriverFault;
    const cause = Object.assign(new Error(message), { code });
    const fault = faultOf(cause, this.#url, () => mayPass);
    const transaction = this.#over();
    if (transaction === undefined) this.#asked.shift()?.reject(fault);
    else transaction.reject(fault);
  }

  #over(): Transaction | undefined {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (transaction !== undefined) {
      this.#tries++;
      this.#wants = [];
      this.#asked = [];
    }
    return transaction;
  }

  #ask(want: Want): Promise<Rows> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.say(want);
    });
  }

  #rules(): Promise<readonly SchemaRule[]> {
    return this.transaction(async (run) => {
      const found: SchemaRule[] = [];
      for (const show of [showConstraints, showIndexes])
        found.push(...((await run(show, [])) as unknown as readonly SchemaRule[]));
      return found;
    });
  }
}

/** A checkpoint's writes, as the job keeps them until they are committed. */
interface StagedCheckpoint {
  /**
   * Made by each start of a writer. So a number means one thing in a lineage, also where a savepoint
   * and a restart from a checkpoint before it have both used the number after it.
   */
  readonly lineage: string;
  /**
   * Counts the checkpoints that have writes, from 1, through all starts; that of the last one where
   * this has none.
   */
  readonly number: number;
  readonly chunks: number;
}

export class GraphCommits {
  readonly #session: JobSession;
  readonly #database: CypherGraph;
  readonly #model: GraphModel;
  /**
   * A book of its own: checkpoints here and those of the engine are other positions of other
   * streams.
   */
  readonly #sink: string;
  #run: RunOrder | undefined;

  /** `sink`: `<topology>/<node>`; `url`: for messages. */
  constructor(model: GraphModel, sink: string, url: string) {
    this.#model = model;
    this.#sink = `flink:${sink}`;
    this.#session = new JobSession(url);
    this.#database = cypherDatabase(this.#session);
  }

  /**
   * Takes the sink over: `staged` is the first that is not known to be in the database. Called again,
   * it goes on with the lineage of `staged`, unless another run has taken the sink over.
   */
  open(staged: string): void {
    this.#begin(this.#claim(JSON.parse(staged) as StagedCheckpoint));
  }

  apply(checkpoint: number, chunk: number, writes: string): void {
    const run = this.#run;
    if (run === undefined) throw new Error('a graph sink is opened before a chunk is applied');
    const id = { sink: this.#sink, run, checkpoint, chunk };
    this.#begin(this.#database.applyChunk(id, JSON.parse(writes) as GraphWrite[]));
  }

  next(): string {
    return this.#session.next();
  }

  attempt(): void {
    this.#session.attempt();
  }

  answer(rows: string): void {
    this.#session.answer(rows);
  }

  committed(): void {
    this.#session.committed();
  }

  aborted(): void {
    this.#session.aborted();
  }

  failed(fault: string): void {
    this.#session.failed(fault);
  }

  async #claim(staged: StagedCheckpoint): Promise<void> {
    const [sink, mine] = [this.#sink, this.#run];
    const follow = (found: RunTrace | undefined): SinkRun => {
      const resumed = resumeOf(staged, found, mine);
      if (resumed === 'fenced') throw fenced(sink, mine as RunOrder, found as RunTrace);
      this.#run = resumed.run;
      return resumed;
    };
    const found = await this.#database.followSink({ sink, model: this.#model, follow });
    const applied = appliedBefore(staged);
    if (found.checkpoint < applied)
      throw graphBehind(sink, found, { checkpoint: applied, chunk: 1 });
  }

  #begin(operation: Promise<unknown>): void {
    operation.then(
      () => this.#session.say({ want: 'done' }),
      (thrown: unknown) => {
        const isFault = thrown instanceof SluiceError;
        const code = isFault ? thrown.code : 'internal';
        const fix = isFault ? (thrown.fix ?? '') : '';
        this.#session.say({ want: 'refused', code, message: messageOf(thrown), fix });
      },
    );
  }
}

/** The number of the last checkpoint whose writes were all in the database. */
function appliedBefore({ number, chunks }: StagedCheckpoint): number {
  return chunks === 0 ? number : number - 1;
}

/** Of whoever goes on with a lineage that it began; whoever resumes one has a larger number. */
const firstAttempt = 1;

/**
 * Who opens the sink after the run that the database knows. `mine`: as whom the same task opened it
 * before. Of another lineage nothing counts that comes after what is known to be applied. Pure.
 */
export function resumeOf(
  staged: StagedCheckpoint,
  found: RunTrace | undefined,
  mine?: RunOrder,
): SinkRun | 'fenced' {
  const { lineage, number, chunks } = staged;
  const isSame = found?.lineage === lineage;
  if (mine !== undefined && found !== undefined) {
    const isMine = found.lineage === mine.lineage && found.attempt === mine.attempt;
    // The transaction may have been committed before it was tried again.
    if (!isMine && !(isSame && found.attempt === firstAttempt)) return 'fenced';
  }
  const resumes = isSame ? (found?.attempt ?? 0) + 1 : firstAttempt + 1;
  const run = { lineage, attempt: mine === undefined ? resumes : firstAttempt };
  const from: Progress = { checkpoint: number, chunk: 0 };
  const to = isSame
    ? { checkpoint: number, chunk: chunks }
    : { checkpoint: appliedBefore(staged), chunk: 0 };
  return { run, restored: { from, to } };
}
