/**
 * Tables that would count an element of a window twice when they are summed. Pure.
 *
 * A window fires more than once when it has `allowedLateness` or `early`: each pane that is
 * accumulating has all elements of the window so far. What is known of a table's rows are their
 * columns, so a table is taken to tell panes apart when one of its columns has `pane` in its name.
 */
import { columnsOf } from '../../schemas/columns.ts';
import { latestOf } from '../../schemas/table-rows.ts';
import type { PlanProblem } from '../nodes/node.ts';
import { outPort } from '../nodes/node.ts';
import type { PlanNode } from '../operators/kinds.ts';
import { kindOf } from '../operators/kinds.ts';
import type { TableDefinition } from '../operators/sink/node.ts';
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
    if (node.kind !== 'sink' || node.sink.kind !== 'table') continue;
    const { sink } = node;
    warnings.push(
      ...[...panes]
        .flatMap((window) => warningOf(window, sink))
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
      const message = `the window '${window.id}' emits what came since its last pane (mode: 'discarding'), of which the table '${table}' shows the last part only`;
      return [{ message, fix: 'leave out mode, or upsert: the panes of a window are summed then' }];
    }
    if (window.window.type !== 'session') return [];
    const message = `the sessions of '${window.id}' may grow after they fired (${why}): one that does has another start or end, and rows of both`;
    return [
      {
        message,
        fix: 'let sessions fire once: without allowedLateness and early; or read the rows by their key and overlapping times',
      },
    ];
  }
  const hasPane = columnsOf(schema).some(({ name }) => /pane/i.test(name));
  if (window.mode === 'discarding' || hasPane) return [];
  const message = `the window '${window.id}' fires more than once (${why}), and rows of the table '${table}' do not say which pane they are: sums over it count elements again`;
  return [
    {
      message,
      fix: `write upsert: [...] with the columns that name a window, and read ${latestOf(table)}; or give its rows the pane, in a column such as pane_index`,
    },
  ];
}
