/**
 * Finds tables whose sums would count an element of a window twice. Pure.
 *
 * A window with `allowedLateness` or `early` fires more than once, and each accumulating pane has
 * all elements of the window so far. Only the columns of a table's rows are known, so a table
 * counts as telling panes apart if one of its columns has `pane` in its name.
 */
import { columnsOf } from '../../schemas/columns.ts';
import { latestOf } from '../../schemas/table-rows.ts';
import type { PlanProblem } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';
import type { TableDefinition } from '../operators/sink/node.ts';
import { sinkKindOf } from '../operators/sink/sinks.ts';
import type { WindowNode } from '../operators/window/node.ts';
import type { Plan } from './plan.ts';

/** Nothing that keeps a topology from running. */
export function paneWarnings(plan: Plan): readonly PlanProblem[] {
  const windows = new Map<string, ReadonlySet<WindowNode>>();
  const warnings: PlanProblem[] = [];
  for (const node of plan.nodes) {
    const panes = new Set(
      node.inputs.flatMap(({ node: from, port }) => [...(windows.get(`${from} ${port}`) ?? [])]),
    );
    for (const port of node.outputs) windows.set(`${node.id} ${port}`, panesOf(node, port, panes));
    const table = node.kind === 'sink' ? sinkKindOf(node.sink).table?.(node.sink) : undefined;
    if (table === undefined) continue;
    warnings.push(
      ...[...panes]
        .flatMap((window) => warningOf(window, table))
        .map((warning) => ({ node: node.id, ...warning })),
    );
  }
  return warnings;
}

/** The windows of which panes come out of a node as they are, or as a function made them. */
function panesOf(
  node: PlanNode,
  port: string,
  panes: ReadonlySet<WindowNode>,
): ReadonlySet<WindowNode> {
  if (kindOf(node).passesPanes === true) return panes;
  const firesAgain =
    node.kind === 'window' && port === outPort && (node.allowedLatenessMs > 0 || node.earlyMs > 0);
  return new Set(firesAgain ? [node] : []);
}

function warningOf(
  window: WindowNode,
  { table, schema, upsert }: TableDefinition,
): readonly Omit<PlanProblem, 'node'>[] {
  const why = [
    ...(window.allowedLatenessMs > 0 ? ['allowedLateness'] : []),
    ...(window.earlyMs > 0 ? ['early'] : []),
  ].join(' and ');
  if (upsert !== undefined) {
    if (window.mode === 'discarding') {
      const message = `the window '${window.id}' emits only what came since its last pane (mode: 'discarding'), so the table '${table}' shows only the last part`;
      return [
        {
          message,
          fix: 'remove mode, or remove upsert so that the panes of a window can be summed',
        },
      ];
    }
    if (window.window.type !== 'session') return [];
    const message = `the sessions of '${window.id}' can grow after they fire (${why}): a session that grows has another start or end, and leaves rows of both`;
    return [
      {
        message,
        fix: 'let sessions fire once, without allowedLateness and early; or match rows by their key and overlapping times',
      },
    ];
  }
  const hasPane = columnsOf(schema).some(({ name }) => /pane/i.test(name));
  if (window.mode === 'discarding' || hasPane) return [];
  const message = `the window '${window.id}' fires more than once (${why}), and rows of the table '${table}' do not say which pane they are of, so sums over it count elements more than once`;
  return [
    {
      message,
      fix: `set upsert: [...] to the columns that identify a window, and read ${latestOf(table)}; or add the pane to its rows, in a column such as pane_index`,
    },
  ];
}
