/**
 * Which changes of a definition keep the state of the old definition right. Pure.
 *
 * A change that a rule refuses is a misfit. It blocks the restore until the option has its old
 * value again, the topology was drained before, or the state is dropped by name. The rules are in
 * the module of each kind.
 */
import type { OptionValue } from '../operators/kind-state.ts';
import { kindNamed } from '../operators/kinds.ts';
import { sinkKindNamed } from '../operators/sink/sinks.ts';
import { versionedPart, versionIn } from '../operators/state-version.ts';
import { durationText } from '../time/duration.ts';
import type { Definition } from './definition.ts';
import { partOf } from './definition.ts';

export interface Misfit {
  readonly node: string;
  readonly kind: string;
  /**
   * The option's name; undefined where it is about the node as a whole: then `why` follows its
   * name.
   */
  readonly option?: string;
  /** As a person writes them. */
  readonly was?: string;
  readonly is?: string;
  readonly why: string;
  /** What `--drop-state` names to let go of the state; undefined where that does not help. */
  readonly drop?: string;
}

/**
 * What of a node's definition does not fit the state that was made under `was`; of its parts those
 * in `dropped` are dropped.
 */
export function misfitsOf(
  id: string,
  kind: string,
  was: Definition,
  is: Definition,
  dropped: ReadonlySet<string>,
  sourcesDropped: boolean,
): readonly Misfit[] {
  const found = optionMisfits(id, kind, was, is, dropped);
  found.push(...sinkMisfits(id, was, is));
  if (kindNamed(kind)?.state?.takesOtherElements !== true && !sourcesDropped)
    found.push(...inputMisfits(id, kind, was, is));
  return found;
}

function optionMisfits(
  id: string,
  kind: string,
  was: Definition,
  is: Definition,
  dropped: ReadonlySet<string>,
): Misfit[] {
  const found: Misfit[] = [];
  for (const option of new Set([...Object.keys(was.options), ...Object.keys(is.options)])) {
    const before = was.options[option];
    const now = is.options[option];
    if (before === now) continue;
    const part = partOf(option);
    if (part !== undefined) {
      const drop = partId(id, part.name);
      // What comes to it starts empty.
      if (before === undefined || dropped.has(drop)) continue;
      const why = now === undefined ? 'its state would be dropped' : 'its state is of the old kind';
      found.push({
        node: id,
        kind,
        option,
        was: shown(before, false),
        is: shown(now, false),
        why,
        drop,
      });
      continue;
    }
    const versioned = versionedPart(option);
    if (versioned !== undefined) {
      found.push(...downgrade(id, kind, versioned, { was, is, dropped }));
      continue;
    }
    const rule = kindNamed(kind)?.state?.rules?.[option];
    if (rule === undefined || isSaidBy(rule.saidBy, was, is)) continue;
    if (rule.fits !== undefined && rule.fits === now) continue;
    const time = rule.isTime === true;
    found.push({
      node: id,
      kind,
      option,
      was: shown(before, time),
      is: shown(now, time),
      why: rule.why,
      drop: id,
    });
  }
  return found;
}

/** An earlier version of a part's schema cannot know what a later one kept. */
function downgrade(
  id: string,
  kind: string,
  name: string,
  {
    was,
    is,
    dropped,
  }: { readonly was: Definition; readonly is: Definition; readonly dropped: ReadonlySet<string> },
): readonly Misfit[] {
  const [before, now] = [versionIn(was.options, name), versionIn(is.options, name)];
  const drop = partId(id, name);
  const continues = Object.entries(is.options).some(
    ([option, value]) => partOf(option)?.name === name && was.options[option] === value,
  );
  if (before <= now || !continues || dropped.has(drop)) return [];
  const why = 'an earlier version cannot read what a later one kept';
  const option = `version of '${name}'`;
  return [{ node: id, kind, option, was: String(before), is: String(now), why, drop }];
}

/** Whether the change of another option says it, once. */
function isSaidBy(option: string | undefined, was: Definition, is: Definition): boolean {
  return option !== undefined && was.options[option] !== is.options[option];
}

/** What a sink wrote is not in its state alone: dropping that changes nothing there. */
function sinkMisfits(id: string, { sink: was }: Definition, { sink: is }: Definition): Misfit[] {
  if (was === undefined || was.kind !== is?.kind) return [];
  const changes = sinkKindNamed(is.kind)?.changes?.(was, is) ?? [];
  return changes.map((change) => ({ node: id, kind: 'sink', ...change }));
}

/**
 * Elements in state are those of its old inputs: two nodes that changed places would read each
 * other's.
 */
function inputMisfits(
  id: string,
  kind: string,
  was: Definition,
  is: Definition,
): readonly Misfit[] {
  const names = kindNamed(kind)?.state?.inputNames ?? ['input'];
  return names.flatMap((option, index): readonly Misfit[] => {
    const before = was.inputs[index]?.origins ?? [];
    const now = is.inputs[index]?.origins ?? [];
    if (
      before.length === 0 ||
      before.some((origin) => now.some((other) => isOneWay(origin, other)))
    )
      return [];
    return [
      {
        node: id,
        kind,
        option,
        was: before.join(', '),
        is: now.join(', '),
        why: 'its state is of other elements',
        drop: id,
      },
    ];
  });
}

/** Whether one is the other, or one of its named outputs. */
function isOneWay(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}>`) || b.startsWith(`${a}>`);
}

/** What names a part of a node's state. */
export function partId(node: string, name: string): string {
  return `${node}#${name}`;
}

function shown(value: OptionValue | undefined, time: boolean): string {
  if (value === undefined) return 'none';
  if (typeof value === 'boolean') return value ? 'there' : 'not there';
  return time && typeof value === 'number' ? durationText(value) : String(value);
}

export function misfitText({ node, kind, option, was, is, why }: Misfit): string {
  return option === undefined
    ? `${kind} '${node}' ${why}`
    : `${kind} '${node}': ${option} was ${was}, now it is ${is}: ${why}`;
}
