/**
 * What the functions of a topology are run with inside of the job: the parts of each node, as the
 * engine gives them (topology/runtime/parts-of-nodes.ts), and the rejections of one call.
 */
import { present } from '../../../schemas/kernel/assert.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import type { LookupFile } from '../../../topology/operators/lookup/node.ts';
import type { NodeParts } from '../../../topology/operators/node-parts.ts';
import type { Reject } from '../../../topology/operators/operator.ts';
import { noCounts } from '../../../topology/operators/operator.ts';
import type { Plan, Topology } from '../../../topology/plan/plan.ts';
import { indexTable } from '../../../topology/runtime/connections.ts';
import type { Freezes } from '../../../topology/runtime/frozen-values.ts';
import { partsFor } from '../../../topology/runtime/parts-of-nodes.ts';
import { CallGuard } from './call-guard.ts';
import type { SinkForm } from './sink.ts';
import { rejectionText } from './wire.ts';

export class NodeRuntime {
  readonly plan: Plan;
  readonly freezes: Freezes;
  readonly reject: Reject;
  readonly guard = new CallGuard();
  readonly #partsOf: ReturnType<typeof partsFor>;
  readonly #tables = new Map<string, ReadonlyMap<string, unknown>>();
  readonly #forms = new Map<string, SinkForm>();
  #rejections = '';

  constructor(topology: Topology, freezes: Freezes) {
    this.plan = topology.plan;
    this.freezes = freezes;
    this.reject = (rejection) => {
      this.#rejections += rejectionText(rejection);
    };
    const counts = new Map(this.plan.nodes.map(({ id }) => [id, noCounts()]));
    const guarded = this.guard.guarded(topology);
    this.#partsOf = partsFor(guarded, { counts, records: [] }, this.reject, {
      tables: this.#tables,
      lookups: new Map(),
      host: { clock: manualClock(), random: seededRandom(1), wake: () => undefined },
      freezes,
      schemas: (node, check) => this.guard.schemas(node, check),
    });
  }

  parts(node: string): NodeParts {
    return this.#partsOf(this.#node(node));
  }

  kindOf(node: string): string {
    return this.#node(node).kind;
  }

  /** Those since the last call, as lines. */
  takeRejections(): string {
    const taken = this.#rejections;
    this.#rejections = '';
    return taken;
  }

  /** How the rows of a sink are sent; before the segment that sends them. */
  setForm(sink: string, form: SinkForm): void {
    this.#forms.set(sink, form);
  }

  formOf(sink: string): SinkForm {
    return this.#forms.get(sink) ?? 'rows';
  }

  /** The rows of a file's table, as a JSON array; before the segment that looks up in it. */
  setTable(node: string, rows: string): void {
    const { lookup } = this.#node(node) as { readonly lookup?: LookupFile };
    const table = indexTable(present(lookup, `the look-up ${node}`), JSON.parse(rows) as []);
    this.#tables.set(node, table);
  }

  #node(id: string): Plan['nodes'][number] {
    return present(
      this.plan.nodes.find((node) => node.id === id),
      `the node ${id}`,
    );
  }
}
