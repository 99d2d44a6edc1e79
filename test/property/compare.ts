/**
 * What came out beside what is right: as often as it is there, in any order.
 */
import type { Layout } from './layout.ts';
import { panesId, tellsPanes } from './layout.ts';
import type { Answer, Pane } from './oracle.ts';
import type { Op } from './plan.ts';

const shown = 3;

/**
 * `answers` of one drain after the other; `visible` is what a sink has. `late`: rows may have come
 * once their window had fired.
 */
export function differencesOf(
  layout: Layout,
  answers: readonly Answer[],
  visible: (sink: string) => readonly string[],
  late: boolean,
): readonly string[] {
  // What a window says on time is not all of it then.
  const firesAgain =
    late && layout.ops.some(({ op }) => op.kind === 'window' && op.allowedLatenessMs > 0);
  const sinks = (firesAgain ? [] : layout.sinks).flatMap(({ id }) =>
    compared(
      id,
      answers.flatMap(({ sinks: all }) => all.get(id) ?? []),
      visible(id),
    ),
  );
  const panes = layout.ops.flatMap(({ id, op }) =>
    op.kind === 'window' && tellsPanes(op)
      ? paneDifferences(panesId(id), op, answers, visible(panesId(id)), late)
      : [],
  );
  return [
    ...sinks,
    ...panes,
    ...compared(
      'rejected',
      answers.flatMap(({ rejected }) => rejected),
      visible('rejected'),
    ),
  ];
}

function compared(
  sink: string,
  right: readonly string[],
  found: readonly string[],
): readonly string[] {
  const left = new Map<string, number>();
  for (const row of right) left.set(row, (left.get(row) ?? 0) + 1);
  for (const row of found) left.set(row, (left.get(row) ?? 0) - 1);
  const missing = [...left].filter(([, times]) => times > 0).map(([row]) => row);
  const extra = [...left].filter(([, times]) => times < 0).map(([row]) => row);
  return [
    ...(missing.length === 0
      ? []
      : [`${sink}: ${missing.length} missing, as ${missing.slice(0, shown).join(' and ')}`]),
    ...(extra.length === 0
      ? []
      : [`${sink}: ${extra.length} too many, as ${extra.slice(0, shown).join(' and ')}`]),
  ];
}

interface FoundPane extends Pane {
  readonly pane: { readonly index: number; readonly timing: string; readonly last: boolean };
}

/**
 * Which early panes there are depends on when time passed. What holds in any order: those of a
 * window are numbered from 0, one at most is the last, and accumulating ones end with the whole
 * window, where discarding ones add up to it.
 */
function paneDifferences(
  id: string,
  op: Extract<Op, { kind: 'window' }>,
  answers: readonly Answer[],
  visible: readonly string[],
  late: boolean,
): readonly string[] {
  const right = answers.flatMap(({ panes }) => panes.get(id) ?? []);
  const found = visible.map((text) => JSON.parse(text) as FoundPane);
  const problems: string[] = [];
  const total = (all: readonly Pane[]): number => all.reduce((sum, { count }) => sum + count, 0);
  if (op.discarding) {
    if (total(found) !== total(right))
      problems.push(`${id}: its panes count ${total(found)} rows, ${total(right)} are right`);
  } else {
    const text = ({ key, windowStart, windowEnd, count, ids }: Pane): string =>
      JSON.stringify([key, windowStart, windowEnd, count, ids]);
    const whole = late ? lastPanes(found) : found.filter(({ pane }) => pane.timing === 'onTime');
    if (!late || answers.length === 1)
      problems.push(...compared(id, right.map(text), whole.map(text)));
  }
  if (op.shape.type === 'session' || answers.length > 1) return problems;
  const byWindow = new Map<string, FoundPane[]>();
  for (const pane of found) {
    const window = JSON.stringify([pane.key, pane.windowStart]);
    byWindow.set(window, [...(byWindow.get(window) ?? []), pane]);
  }
  for (const [window, panes] of byWindow) {
    const indexes = panes.map(({ pane }) => pane.index).sort((a, b) => a - b);
    if (indexes.some((index, n) => index !== n))
      problems.push(`${id}: the panes of ${window} are numbered ${indexes.join(', ')}`);
    if (panes.filter(({ pane }) => pane.last).length > 1)
      problems.push(`${id}: ${window} has several last panes`);
  }
  return problems;
}

function lastPanes(panes: readonly FoundPane[]): readonly FoundPane[] {
  const last = new Map<string, FoundPane>();
  for (const pane of panes) {
    const window = JSON.stringify([pane.key, pane.windowStart]);
    if (pane.pane.index >= (last.get(window)?.pane.index ?? 0)) last.set(window, pane);
  }
  return [...last.values()];
}
