/**
 * Finds elements in state that an evolved schema no longer accepts, before a job takes over: they
 * passed the old schema, but functions now expect the new one. Pure.
 *
 * Joins and look-ups keep elements as they came. What a `process` function keeps, and what windows
 * make of elements, has no schema.
 */
import type { SluiceEvent } from '../../schemas/event.ts';
import type { ElementShape } from '../checkpoint/definition.ts';
import { definitionsOf, provenanceOf } from '../checkpoint/definition.ts';
import type { Manifest } from '../checkpoint/manifest.ts';
import type { Misfit } from '../checkpoint/restore-rules.ts';
import type { Elements } from '../operators/kind-state.ts';
import { kindNamed } from '../operators/kinds.ts';
import { checkOf } from '../operators/validate/kind.ts';
import type { Plan } from '../plan/plan.ts';

export function elementMisfits(
  { stateful, operators, drained }: Manifest,
  plan: Plan,
  drop: ReadonlySet<string>,
): readonly Misfit[] {
  if (drained === true) return [];
  const definitions = definitionsOf(plan);
  const isSame = stateful.every(({ id, definition }) =>
    definition?.inputs.every(
      ({ schema }, input) => definitions.get(id)?.inputs[input]?.schema === schema,
    ),
  );
  if (isSame) return [];
  const provenance = provenanceOf(plan);
  return stateful.flatMap(({ id, kind, definition }): readonly Misfit[] => {
    const is = definitions.get(id);
    const elements = drop.has(id) ? undefined : elementsIn(kind, operators[id]);
    if (is === undefined || elements === undefined) return [];
    // Under the same schemas they were checked already.
    const checks = is.inputs.map(({ schema }, input) => {
      const shapes = provenance.get(id)?.[input]?.shapes;
      return shapes === undefined || definition?.inputs[input]?.schema === schema
        ? undefined
        : anyOf(shapes);
    });
    return checks.every((check) => check === undefined) ? [] : misfitOf(id, kind, elements, checks);
  });
}

function elementsIn(kind: string, state: unknown): Elements | undefined {
  return state === undefined ? undefined : kindNamed(kind)?.state?.elements?.(state);
}

/** Why an element is refused now; undefined when it is taken. */
type ElementCheck = (value: unknown) => string | undefined;

function misfitOf(
  node: string,
  kind: string,
  elements: Elements,
  checks: readonly (ElementCheck | undefined)[],
): readonly Misfit[] {
  let refused = 0;
  let first = '';
  for (const [input, value] of elements) {
    const why = checks[input]?.(value);
    if (why === undefined) continue;
    if (refused === 0) first = why;
    refused++;
  }
  if (refused === 0) return [];
  return [
    {
      node,
      kind,
      why: `keeps ${refused} elements that its schema now refuses; the first one: ${first}`,
      drop: node,
    },
  ];
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
