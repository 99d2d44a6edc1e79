/**
 * Which changes of a definition keep the state right that was made under the old one. Pure.
 *
 * A change that no rule allows is a misfit: it refuses the restore, until the option has its old
 * value again, the topology was drained before, or the state is dropped by name. Rules are by kind
 * and option; `keeps` says that state made under any value of it is right under any other:
 *
 * - `within` and `allowedLateness`: what was forgotten under the old value stays forgotten, as
 *   elements up to there stay late (window.ts, deduplicate.ts).
 * - `early`, `late`, times and bounds of look-ups, time to live, idleness: they say what happens
 *   from now on.
 */
import type { GraphModel, PropertyTypes } from '../graph/graph-model.ts';
import { durationText } from '../time/duration.ts';
import type { Definition, OptionValue } from './definition.ts';
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

/** `keeps`, or why the state does not fit. */
type Rule = 'keeps' | { readonly why: string; readonly time?: true };

const oldBounds: Rule = { why: 'windows in state have the old bounds', time: true };
const oldPairs: Rule = {
  why: 'rows that the new bounds need were let go by the old ones, and pairs were made by those',
  time: true,
};

const rules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  source: { stream: { why: 'its positions are of the old stream' }, dataText: 'keeps' },
  eventTime: { outOfOrderness: 'keeps', idleAfter: 'keeps', 'future.max': 'keeps' },
  deduplicate: { within: 'keeps', late: 'keeps' },
  window: {
    window: { why: 'windows in state are of the old kind' },
    size: oldBounds,
    slide: oldBounds,
    offset: oldBounds,
    gap: oldBounds,
    allowedLateness: 'keeps',
    late: 'keeps',
    mode: { why: 'what was emitted of the windows in state was counted by the old mode' },
    early: 'keeps',
  },
  intervalJoin: {
    lower: oldPairs,
    upper: oldPairs,
    join: { why: 'what was emitted, and how far its time went, was by the old kind of join' },
    late: 'keeps',
  },
  process: { onTimer: { why: 'timers in state would fire for nobody' } },
  lookup: {
    from: 'keeps',
    name: 'keeps',
    'cache.maxEntries': 'keeps',
    'cache.ttl': 'keeps',
    capacity: 'keeps',
    timeout: 'keeps',
    'retry.attempts': 'keeps',
    order: 'keeps',
    whenFailing: 'keeps',
  },
  union: {},
  sink: {},
};

/**
 * What of a node's definition does not fit the state that was made under `was`; of its parts those
 * in `dropped` are let go.
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
  // A graph's model is its database's as well: dropping state changes nothing there.
  if (was.sink?.kind === 'graph' && is.sink?.kind === 'graph')
    found.push(...modelMisfits(id, was.sink.model, is.sink.model));
  // A union holds no elements, only how far its inputs are; what a source's state is of is its
  // stream.
  if (kind !== 'union' && !sourcesDropped) found.push(...inputMisfits(id, kind, was, is));
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
    if (before === now || isOfAnotherKind(option, was, is)) continue;
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
    const rule = rules[kind]?.[option] ?? 'keeps';
    // Handling timers is added as a part is.
    if (rule === 'keeps' || (option === 'onTimer' && now === true)) continue;
    const time = rule.time === true;
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

/** A window of another kind has other lengths, too: that is said once. */
function isOfAnotherKind(option: string, was: Definition, is: Definition): boolean {
  return (
    was.options['window'] !== is.options['window'] &&
    ['size', 'slide', 'offset', 'gap'].includes(option)
  );
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
  const names =
    was.inputs.length === 2 && kind === 'intervalJoin' ? ['left input', 'right input'] : ['input'];
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

function modelMisfits(id: string, was: GraphModel, is: GraphModel): readonly Misfit[] {
  const [before, now] = [modelMeanings(was), modelMeanings(is)];
  const why = 'the graph has it as it was: give it another name';
  return [...before].flatMap(([name, meaning]): readonly Misfit[] => {
    const other = now.get(name) ?? meaning;
    return other === meaning
      ? []
      : [{ node: id, kind: 'sink', option: `model.${name}`, was: meaning, is: other, why }];
  });
}

/** What may not change of a model, by name. Names may come and go. */
function modelMeanings({ nodes, edges }: GraphModel): ReadonlyMap<string, string> {
  const propsOf = (of: string, props: PropertyTypes): readonly (readonly [string, string])[] =>
    Object.entries(props).map(([name, type]) => [`${of}.${name}`, type]);
  return new Map([
    ...Object.entries(nodes).flatMap(([label, { key, props }]) => [
      [label, `keyed by ${key}`] as const,
      ...propsOf(label, props),
    ]),
    ...Object.entries(edges).flatMap(([type, { from, to, key, props }]) => {
      const keyed = key.length === 0 ? 'its ends' : [...key].sort().join(', ');
      return [[type, `${from} to ${to} keyed by ${keyed}`] as const, ...propsOf(type, props)];
    }),
  ]);
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
