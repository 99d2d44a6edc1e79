/**
 * Regular expressions of schemas in time linear in the text: a pattern that backtracks can block a
 * thread for years on a text of some forty characters. Verdicts are those of ECMAScript.
 *
 * V8 runs patterns that can try only a few ways. All others run here, from the end of the text to
 * its beginning: for each place of the pattern, does it match the rest of the text? The result for
 * one character is remembered (a lazy DFA), so that most steps are one look-up. Lookaheads are
 * ordinary places. Backreferences and lookbehinds need more than that, and are refused where V8
 * could backtrack.
 *
 * Invariants:
 * 1. The time of a test is at most linear in the text, times the places of the pattern
 *    (`patternMaxPlaces`).
 * 2. What is remembered is bounded, and forgotten when it is full.
 *
 * Source: K. Thompson, Regular Expression Search Algorithm, CACM 11(6), 1968; places that hold or
 * do not, as in alternating automata.
 */
import type { AST } from '@eslint-community/regexpp';
import { RegExpParser } from '@eslint-community/regexpp';
import { kibi, mebi } from './kernel/bytes.ts';
import { hasFewWays } from './pattern-ways.ts';

/**
 * A pattern of a schema that could backtrack: its places once counted repetitions are written
 * out, and what is remembered of them (places times states).
 */
const patternMaxPlaces = 10_000;
const patternKnownMax = mebi;
/** Characters beyond ASCII whose class is remembered. */
const patternCharactersMax = 4 * kibi;

export interface LinearPattern {
  test(text: string): boolean;
}

/**
 * Throws `SyntaxError` for what is not a pattern, and `Error` with the reason for one that is
 * refused.
 */
export function linearPattern(source: string, flags: string): LinearPattern {
  const native = new RegExp(source, flags);
  const parsed = new RegExpParser({ ecmaVersion: 2024 }).parsePattern(source, 0, source.length, {
    unicode: flags.includes('u'),
  });
  return hasFewWays(parsed) ? native : new Places(parsed, flags);
}

type Kind =
  | 'done'
  | 'character'
  | 'either'
  | 'start'
  | 'end'
  | 'word'
  | 'notWord'
  | 'ahead'
  | 'notAhead';

interface Place {
  readonly kind: Kind;
  /**
   * Of a character: the number of its set. Of a lookahead: where it begins. Of either: the other
   * way.
   */
  other: number;
  /** What follows. */
  next: number;
}

/** Which places match what is behind one position of the text. */
interface Known {
  readonly holds: Uint8Array;
  /** By the class of the character before, and what is before that. */
  readonly before: (Known | undefined)[];
}

/** The place behind the whole pattern: it matches whatever follows. */
const done = 0;

/**
 * What is known of a position: behind the character there, undefined at the end; the sets that the
 * character is in; what is before it.
 */
interface Step {
  readonly behind: Uint8Array | undefined;
  readonly isIn: readonly boolean[] | undefined;
  readonly context: number;
  readonly isBoundary: boolean;
}

/**
 * What is before a position: nothing, or a character that is not a part of a word, or one that is.
 */
const contexts = 3;
const asciiMax = 128;

class Places implements LinearPattern {
  readonly #unicode: boolean;
  readonly #flags: string;
  readonly #text: string;
  readonly #places: Place[] = [{ kind: 'done', other: done, next: done }];
  /** The places inside of each negated lookahead, which lead to no others; inner ones first. */
  readonly #negated: (readonly [from: number, to: number])[] = [];
  readonly #sets: RegExp[] = [];
  readonly #setNumbers = new Map<string, number>();
  readonly #entry: number;
  readonly #word: RegExp;
  /** Characters that are in the same sets are one class; by code point. */
  readonly #ascii = new Int16Array(asciiMax).fill(-1);
  #classOf = new Map<number, number>();
  readonly #classNumbers = new Map<string, number>();
  readonly #classes: { readonly isIn: readonly boolean[]; readonly isWord: boolean }[] = [];
  #known = new Map<string, Known>();
  #ends: (Known | undefined)[] = [];

  constructor(pattern: AST.Pattern, flags: string) {
    this.#flags = flags.replaceAll(/[^ius]/g, '');
    this.#text = `/${pattern.raw}/${flags}`;
    this.#unicode = flags.includes('u');
    this.#word = new RegExp('^\\w$', this.#flags);
    const first = this.#alternatives(pattern.alternatives, done);
    // It may begin anywhere.
    const skip = this.#add({ kind: 'character', other: this.#set('[^]'), next: 0 });
    this.#entry = this.#add({ kind: 'either', other: first, next: skip });
    this.#place(skip).next = this.#entry;
  }

  test(text: string): boolean {
    let at = text.length;
    let last = at === 0 ? -1 : this.#classBefore(text, at);
    let known = this.#atEnd(this.#contextOf(last));
    while (at > 0) {
      at -= this.#unicode && isPair(text, at) ? 2 : 1;
      const before = at === 0 ? -1 : this.#classBefore(text, at);
      const key = last * contexts + this.#contextOf(before);
      known = known.before[key] ?? this.#step(known, key, last, before);
      last = before;
    }
    return known.holds[this.#entry] === 1;
  }

  /** The compiler tells patterns apart by their text. */
  toString(): string {
    return this.#text;
  }

  #contextOf(before: number): number {
    return before < 0 ? 0 : this.#classes[before]?.isWord === true ? 2 : 1;
  }

  /** The class of the character that ends at `at`. */
  #classBefore(text: string, at: number): number {
    const code = text.charCodeAt(at - 1);
    if (code < asciiMax) {
      const known = this.#ascii[code] as number;
      return known >= 0 ? known : (this.#ascii[code] = this.#classify(code));
    }
    const point = this.#unicode && isPair(text, at) ? (text.codePointAt(at - 2) as number) : code;
    const known = this.#classOf.get(point);
    if (known !== undefined) return known;
    if (this.#classOf.size >= patternCharactersMax) this.#classOf = new Map();
    const found = this.#classify(point);
    this.#classOf.set(point, found);
    return found;
  }

  #classify(point: number): number {
    const character = String.fromCodePoint(point);
    const isIn = this.#sets.map((set) => set.test(character));
    const isWord = this.#word.test(character);
    const text = `${isIn.map(Number).join('')}${isWord}`;
    let number = this.#classNumbers.get(text);
    if (number === undefined) {
      number = this.#classes.push({ isIn, isWord }) - 1;
      this.#classNumbers.set(text, number);
    }
    return number;
  }

  #atEnd(context: number): Known {
    return (this.#ends[context] ??= this.#knownOf(this.#solve(undefined, -1, context)));
  }

  #step(behind: Known, key: number, character: number, before: number): Known {
    const holds = this.#solve(behind.holds, character, this.#contextOf(before));
    if (this.#known.size * this.#places.length >= patternKnownMax) {
      this.#known = new Map();
      this.#ends = [];
    }
    return (behind.before[key] = this.#knownOf(holds));
  }

  #knownOf(holds: Uint8Array): Known {
    const text = Buffer.from(holds.buffer).toString('latin1');
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    const made: Known = { holds, before: [] };
    this.#known.set(text, made);
    return made;
  }

  /**
   * Which places match, from what is known behind the character (of that class) and what is before
   * it.
   */
  #solve(behind: Uint8Array | undefined, character: number, context: number): Uint8Array {
    const holds = new Uint8Array(this.#places.length);
    holds[done] = 1;
    const step: Step = {
      behind,
      isIn: this.#classes[character]?.isIn,
      context,
      isBoundary: (this.#classes[character]?.isWord === true) !== (context === 2),
    };
    for (const [from, to] of this.#negated) this.#settle(holds, from, to, step);
    this.#settle(holds, 0, holds.length, step);
    return holds;
  }

  /**
   * The least solution of some places: a loop that continues without a character holds only by what
   * leaves it.
   */
  #settle(holds: Uint8Array, from: number, to: number, step: Step): void {
    for (let changed = true; changed; ) {
      changed = false;
      for (let n = from; n < to; n++) {
        if (holds[n] === 1 || !doesHold(this.#place(n), holds, step)) continue;
        holds[n] = 1;
        changed = true;
      }
    }
  }

  #place(n: number): Place {
    return this.#places[n] as Place;
  }

  #add(place: Place): number {
    if (this.#places.length >= patternMaxPlaces) {
      throw new Error(
        `the pattern is too large: written out it has more than ${patternMaxPlaces} places; use smaller counts`,
      );
    }
    return this.#places.push(place) - 1;
  }

  #set(raw: string): number {
    const known = this.#setNumbers.get(raw);
    if (known !== undefined) return known;
    const number = this.#sets.push(new RegExp(`^(?:${raw})$`, this.#flags)) - 1;
    this.#setNumbers.set(raw, number);
    return number;
  }

  /** The place where one of the alternatives begins, with `next` after it. */
  #alternatives(alternatives: readonly AST.Alternative[], next: number): number {
    const [first = next, ...others] = alternatives.map(({ elements }) =>
      elements.reduceRight((behind, element) => this.#element(element, behind), next),
    );
    return others.reduce(
      (either, other) => this.#add({ kind: 'either', other, next: either }),
      first,
    );
  }

  #element(node: AST.Element, next: number): number {
    switch (node.type) {
      case 'Character':
      case 'CharacterSet':
      case 'CharacterClass':
        return this.#add({ kind: 'character', other: this.#set(node.raw), next });
      case 'Group':
      case 'CapturingGroup':
        return this.#alternatives(node.alternatives, next);
      case 'Quantifier':
        return this.#repeat(node, next);
      case 'Assertion':
        return this.#assertion(node, next);
      case 'ExpressionCharacterClass':
      case 'Backreference':
        throw new Error(
          `'${node.raw}' in a pattern that can backtrack is not supported: its time would grow without bound`,
        );
    }
  }

  #assertion(node: AST.Assertion, next: number): number {
    switch (node.kind) {
      case 'start':
      case 'end':
        return this.#add({ kind: node.kind, other: 0, next });
      case 'word':
        return this.#add({ kind: node.negate ? 'notWord' : 'word', other: 0, next });
      case 'lookahead': {
        const from = this.#places.length;
        const inside = this.#alternatives(node.alternatives, done);
        if (node.negate) this.#negated.push([from, this.#places.length]);
        return this.#add({ kind: node.negate ? 'notAhead' : 'ahead', other: inside, next });
      }
      case 'lookbehind':
        throw new Error(
          `'${node.raw}' in a pattern that can backtrack is not supported: its time would grow without bound`,
        );
    }
  }

  #repeat({ element, min, max }: AST.Quantifier, next: number): number {
    let at = next;
    if (max === Number.POSITIVE_INFINITY) {
      at = this.#add({ kind: 'either', other: next, next: 0 });
      this.#place(at).next = this.#element(element, at);
    } else {
      for (let n = min; n < max; n++)
        at = this.#add({ kind: 'either', other: next, next: this.#element(element, at) });
    }
    for (let n = 0; n < min; n++) at = this.#element(element, at);
    return at;
  }
}

function doesHold(
  { kind, other, next }: Place,
  holds: Uint8Array,
  { behind, isIn, context, isBoundary }: Step,
): boolean {
  switch (kind) {
    case 'done':
      // It does from the beginning.
      return false;
    case 'character':
      return behind !== undefined && behind[next] === 1 && isIn?.[other] === true;
    case 'either':
      return holds[next] === 1 || holds[other] === 1;
    case 'start':
      return context === 0 && holds[next] === 1;
    case 'end':
      return behind === undefined && holds[next] === 1;
    case 'word':
      return isBoundary && holds[next] === 1;
    case 'notWord':
      return !isBoundary && holds[next] === 1;
    case 'ahead':
      return holds[other] === 1 && holds[next] === 1;
    case 'notAhead':
      // Its inside was solved first.
      return holds[other] === 0 && holds[next] === 1;
  }
}

/** Whether a whole surrogate pair ends at `at`. */
function isPair(text: string, at: number): boolean {
  if (at < 2) return false;
  const low = text.charCodeAt(at - 1);
  if (low < 0xdc00 || low > 0xdfff) return false;
  const high = text.charCodeAt(at - 2);
  return high >= 0xd800 && high <= 0xdbff;
}
