/**
 * Everything that would keep a job from taking over, at once and before it does. Changes nothing.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import { compileSchema } from '../../schemas/registry.ts';
import { nobody } from '../../schemas/run-id.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import type { Misfit } from '../checkpoint/restore-rules.ts';
import { misfitText } from '../checkpoint/restore-rules.ts';
import { StateFiles } from '../checkpoint/sorted-runs/state-files.ts';
import { checkpointStore } from '../checkpoint/store.ts';
import { storedState } from '../checkpoint/stored-state.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';
import { connect } from './connections.ts';
import type { JobOptions } from './job-options.ts';
import { misfitsFix, misfitsWith, problemsOf, tableMisfits } from './take-over.ts';

export interface JobFinding {
  readonly kind: 'graph' | 'schema' | 'stream' | 'table' | 'connector' | 'state';
  /** The node that it is about; null where it is about the topology as a whole. */
  readonly node: string | null;
  readonly message: string;
  readonly fix: string;
}

type CheckOptions = Pick<JobOptions, 'topology' | 'blobs' | 'connectors' | 'dropState'>;

export async function checkJob(options: CheckOptions): Promise<readonly JobFinding[]> {
  const { topology, connectors } = options;
  const { plan } = topology;
  const findings: JobFinding[] = problemsOf(topology).map(({ node, message, fix }) => ({
    kind: 'graph',
    node,
    message,
    fix: fix ?? 'correct the arguments of the node',
  }));
  for (const node of plan.nodes) {
    const schemas = schemaFindings(node);
    findings.push(...schemas);
    if (node.kind === 'source') {
      const read = async (): Promise<void> => {
        for (const reader of await connectors.readers(node.stream, plan, nobody))
          await reader.close();
      };
      findings.push(...(await failureOf('stream', node.id, read)));
    }
    // A table's rows are checked by its schema.
    if (node.kind === 'lookup' && schemas.length === 0) {
      const find = async (): Promise<void> =>
        void (await connect({ ...plan, nodes: [node] }, connectors));
      findings.push(
        ...(await failureOf(node.lookup.from === 'file' ? 'table' : 'connector', node.id, find)),
      );
    }
  }
  findings.push(...(await stateFindings(options)));
  return findings;
}

async function failureOf(
  kind: 'stream' | 'table' | 'connector',
  node: string,
  look: () => Promise<void>,
): Promise<readonly JobFinding[]> {
  try {
    await look();
    return [];
  } catch (thrown) {
    const known = thrown instanceof SluiceError ? thrown.fix : undefined;
    const fix =
      known ??
      (kind === 'table'
        ? 'correct the table, or its path in the topology'
        : `use a ${kind} of the configuration, or add this one to it`);
    return [{ kind, node, message: messageOf(thrown), fix }];
  }
}

function schemaFindings(node: PlanNode): readonly JobFinding[] {
  return (kindOf(node).schemas?.(node) ?? []).flatMap((document): JobFinding[] => {
    try {
      compileSchema(document);
      return [];
    } catch (thrown) {
      const known = thrown instanceof SluiceError ? thrown.fix : undefined;
      const fix = known ?? 'correct the schema; `sluice schema types` generates it again';
      return [{ kind: 'schema', node: node.id, message: messageOf(thrown), fix }];
    }
  });
}

async function stateMisfits(
  newest: Manifest | undefined,
  { topology, blobs }: CheckOptions,
  drop: ReadonlySet<string>,
): Promise<readonly Misfit[]> {
  if (newest === undefined) return [];
  const { plan } = topology;
  const files = new StateFiles(blobs, plan.name, nobody);
  // Nothing is kept of what it draws.
  return misfitsWith(storedState(newest, plan, files, seededRandom(0)), topology, drop);
}

async function stateFindings(options: CheckOptions): Promise<readonly JobFinding[]> {
  const { topology, blobs, connectors, dropState } = options;
  const { name } = topology.plan;
  try {
    const previous = await checkpointStore(blobs, name).latest();
    const misfits = await stateMisfits(previous, options, new Set(dropState));
    const tables = await tableMisfits(previous, topology.plan, connectors);
    const found = tables.map(
      ({ node, message, fix = '' }): JobFinding => ({ kind: 'table', node, message, fix }),
    );
    const state = misfits.map((misfit) => {
      // What is gone has no place in the file.
      const node = topology.plan.nodes.some(({ id }) => id === misfit.node) ? misfit.node : null;
      return {
        kind: 'state',
        node,
        message: misfitText(misfit),
        fix: misfitsFix(name, [misfit]),
      } as const;
    });
    return [...state, ...found];
  } catch (thrown) {
    const fix =
      (thrown instanceof SluiceError ? thrown.fix : undefined) ??
      'check that the checkpoints can be read';
    return [{ kind: 'state', node: null, message: messageOf(thrown), fix }];
  }
}
