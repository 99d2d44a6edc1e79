/**
 * Finds elements in state that an evolved schema no longer accepts, before a job takes over: they
 * passed the old schema, but functions now expect the new one.
 *
 * Joins and look-ups keep elements as they came. What a `process` function keeps, and what windows
 * make of elements, has no schema.
 */
import type { SluiceEvent } from '../../schemas/event.ts';
import type { ElementShape } from '../checkpoint/definition.ts';
import { definitionsOf, provenanceOf } from '../checkpoint/definition.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import type { Misfit } from '../checkpoint/restore-rules.ts';
import type { EntrySource, NodeEntry } from '../checkpoint/stored-state.ts';
import type { KindState } from '../operators/kind-state.ts';
import { kindNamed } from '../operators/kinds.ts';
import { checkOf } from '../operators/validate/kind.ts';
import type { Plan } from '../plan/plan.ts';
import { textOf } from '../state/entry-text.ts';

export async function elementMisfits(
  { stateful, operators, drained }: Manifest,
  plan: Plan,
  drop: ReadonlySet<string>,
  entries: EntrySource,
): Promise<readonly Misfit[]> {
  if (drained === true) return [];
  const definitions = definitionsOf(plan);
  const isSame = stateful.every(({ id, definition }) =>
    definition?.inputs.every(
      ({ schema }, input) => definitions.get(id)?.inputs[input]?.schema === schema,
    ),
  );
  if (isSame) return [];
  const provenance = provenanceOf(plan);
  const looks = new Map<string, Look>();
  for (const { id, kind, definition } of stateful) {
    const is = definitions.get(id);
    if (is === undefined || drop.has(id)) continue;
    // Under the same schemas they were checked already.
    const checks = is.inputs.map(({ schema }, input) => {
      const shapes = provenance.get(id)?.[input]?.shapes;
      return shapes === undefined || definition?.inputs[input]?.schema === schema
        ? undefined
        : anyOf(shapes);
    });
    if (checks.some((check) => check !== undefined)) looks.set(id, new Look(id, kind, checks));
  }
  for (const look of looks.values()) look.head(operators[look.node]);
  if ([...looks.values()].some(({ hasEntries }) => hasEntries))
    for await (const part of entries())
      for (const entry of part) looks.get(entry.node)?.entry(entry);
  return [...looks.values()].flatMap((look) => look.misfits);
}

/** Why an element is refused now; undefined when it is taken. */
type ElementCheck = (value: unknown) => string | undefined;

/** What is found in the state of one node. */
class Look {
  readonly node: string;
  readonly #kind: string;
  readonly #state: KindState<never> | undefined;
  readonly #checks: readonly (ElementCheck | undefined)[];
  #refused = 0;
  #first = '';

  constructor(node: string, kind: string, checks: readonly (ElementCheck | undefined)[]) {
    this.node = node;
    this.#kind = kind;
    this.#state = kindNamed(kind)?.state;
    this.#checks = checks;
  }

  /** Whether there may be elements in its entries. */
  get hasEntries(): boolean {
    return this.#state?.elementOf !== undefined;
  }

  head(head: unknown): void {
    if (head === undefined) return;
    for (const [input, value] of this.#state?.elements?.(head) ?? []) this.#element(input, value);
  }

  entry({ name, value }: NodeEntry): void {
    const element = this.#state?.elementOf?.(name, textOf(value));
    if (element !== undefined) this.#element(...element);
  }

  get misfits(): readonly Misfit[] {
    if (this.#refused === 0) return [];
    return [
      {
        node: this.node,
        kind: this.#kind,
        why: `keeps ${this.#refused} elements that its schema now refuses; the first one: ${this.#first}`,
        drop: this.node,
      },
    ];
  }

  #element(input: number, value: unknown): void {
    const why = this.#checks[input]?.(value);
    if (why === undefined) return;
    if (this.#refused === 0) this.#first = why;
    this.#refused++;
  }
}

/** Elements of several ways into one input: one of them is enough. */
function anyOf(shapes: readonly ElementShape[]): ElementCheck {
  const checks = shapes.map(shapeCheck);
  return (value) => {
    let first: string | undefined;
    for (const check of checks) {
      const why = check(value);
      if (why === undefined) return undefined;
      first ??= why;
    }
    return first;
  };
}

function shapeCheck({ validate, dataText }: ElementShape): ElementCheck {
  const check = checkOf(validate);
  return (value) => {
    const rejection = check(value);
    if (rejection !== undefined)
      return `'${validate.id}' says of '${rejection.pointer ?? ''}' that ${rejection.message}`;
    return dataText && (value as SluiceEvent & { dataText?: string }).dataText === undefined
      ? 'it has no dataText'
      : undefined;
  };
}
