/**
 * Decides whether a regular expression can run on an engine that backtracks: if it has few ways to
 * try, its time is still linear in the text. Pure.
 *
 * A pattern has few ways if it has at most one endless repetition, of single characters, which
 * begins at the start of the text, and if the product of everything else is small: the
 * alternatives, and how often each bounded repetition may match.
 */
import type { AST } from '@eslint-community/regexpp';

interface Ways {
  /** Endless repetitions on one way. */
  readonly endless: number;
  /** Ways that are tried at most from one place on, without those. */
  readonly count: number;
}

/** For each place of the text; and where the text is tried once, from its start. */
const eachMax = 64;
const onceMax = 4_096;

const one: Ways = { endless: 0, count: 1 };
const tooMany: Ways = { endless: 2, count: 1 };

export function hasFewWays(pattern: AST.Pattern): boolean {
  const { endless, count } = waysOf(pattern.alternatives);
  const isAnchored = pattern.alternatives.every(beginsAtStart);
  return isAnchored
    ? count <= (endless === 0 ? onceMax : eachMax) && endless <= 1
    : count <= eachMax && endless === 0;
}

function beginsAtStart({ elements }: AST.Alternative): boolean {
  const [first] = elements;
  if (first?.type === 'Assertion') return first.kind === 'start';
  return (
    (first?.type === 'Group' || first?.type === 'CapturingGroup') &&
    first.alternatives.every(beginsAtStart)
  );
}

function waysOf(alternatives: readonly AST.Alternative[]): Ways {
  let endless = 0;
  let count = 0;
  for (const { elements } of alternatives) {
    const ways = elements.map(waysOfElement);
    endless = Math.max(
      endless,
      ways.reduce((sum, each) => sum + each.endless, 0),
    );
    count += ways.reduce((product, each) => product * each.count, 1);
  }
  return { endless, count };
}

function waysOfElement(node: AST.Element): Ways {
  switch (node.type) {
    case 'Group':
    case 'CapturingGroup':
      return waysOf(node.alternatives);
    case 'Quantifier':
      return waysOfRepeat(node);
    case 'Assertion': {
      if (!('alternatives' in node)) return one;
      const inside = waysOf(node.alternatives);
      return inside.endless > 0 ? tooMany : inside;
    }
    case 'Backreference':
      // As long as what it repeats.
      return { endless: 1, count: 1 };
    default:
      return one;
  }
}

function waysOfRepeat({ element, min, max }: AST.Quantifier): Ways {
  const inside = waysOfElement(element);
  if (max === Number.POSITIVE_INFINITY) {
    const isSingle =
      element.type === 'Character' ||
      element.type === 'CharacterSet' ||
      element.type === 'CharacterClass';
    return isSingle ? { endless: 1, count: 1 } : tooMany;
  }
  if (inside.endless > 0 && max > 1) return tooMany;
  return { endless: inside.endless, count: (max - min + 1) * inside.count ** max };
}
