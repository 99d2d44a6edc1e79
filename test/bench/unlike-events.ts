/**
 * Events of 5 KB that are not alike, for benchmarks that compress: eight kinds, as one application
 * sends them, in an order of chance. Each value is drawn anew (ids, times, amounts, words of text);
 * what repeats are the names of a kind's members, and the words of a language: 4,000 made of
 * syllables, the common ones far more often than the rare ones. The same every time.
 */
import type { Random } from '../../schemas/kernel/random.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';

/** One kind's events are added up to this; the last one is whole, so that the mean is 5 KB. */
const eventLeastBytes = 3_600;
const wordCount = 4_000;
const beginMs = Date.UTC(2026, 0, 1);

/** What values are drawn with. */
class Draw {
  readonly #random: Random;
  readonly #words: readonly string[];

  constructor(random: Random) {
    this.#random = random;
    this.#words = Array.from({ length: wordCount }, () => this.#newWord());
  }

  int(below: number): number {
    return Math.floor(this.#random.next() * below);
  }

  number(most: number, digits: number): number {
    return Number((this.#random.next() * most).toFixed(digits));
  }

  one<T>(of: readonly T[]): T {
    return of[this.int(of.length)] as T;
  }

  many<T>(most: number, make: () => T): readonly T[] {
    return Array.from({ length: 1 + this.int(most) }, make);
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(16).toString(16)).join('');
  }

  id(): string {
    return [8, 4, 4, 4, 12].map((digits) => this.hex(digits)).join('-');
  }

  time(): string {
    return new Date(beginMs + this.int(86_400_000)).toISOString();
  }

  word(): string {
    return this.#words[Math.floor(wordCount * this.#random.next() ** 3)] as string;
  }

  text(words: number): string {
    return Array.from({ length: words }, () => this.word()).join(' ');
  }

  #newWord(): string {
    const syllables = 1 + this.int(3);
    const word = Array.from({ length: syllables }, () => this.one(starts) + this.one(middles));
    return word.join('') + this.one(ends);
  }
}

const starts = 'b c d f g h l m n p r s t v w st tr pl'.split(' ');
const middles = 'a e i o u ou ea'.split(' ');
const ends = ['', '', 'n', 's', 'r', 't'];

type Kind = (draw: Draw) => object;
const order: Kind = (draw) => ({
  orderId: draw.id(),
  customer: { id: draw.id(), name: draw.text(2), email: `${draw.word()}@${draw.word()}.example` },
  lines: draw.many(40, () => ({
    sku: draw.hex(10),
    title: draw.text(5),
    quantity: 1 + draw.int(9),
    price: draw.number(900, 2),
  })),
  placedAt: draw.time(),
});
const page: Kind = (draw) => ({
  url: `https://shop.example/${draw.word()}/${draw.word()}-${draw.int(1e6)}`,
  visitor: draw.id(),
  agent: `Mozilla/5.0 (${draw.one(['X11; Linux', 'Macintosh', 'Windows NT 10.0'])}) ${draw.int(150)}.${draw.int(9_000)}`,
  shown: draw.many(60, () => ({ product: draw.int(1e9), place: draw.int(80), label: draw.word() })),
  at: draw.time(),
});
const search: Kind = (draw) => ({
  query: draw.text(4),
  session: draw.hex(32),
  results: draw.many(50, () => ({
    document: draw.hex(12),
    score: draw.number(1, 7),
    title: draw.text(6),
  })),
  tookMs: draw.int(900),
});
const message: Kind = (draw) => ({
  ticket: draw.int(1e8),
  from: draw.id(),
  subject: draw.text(7),
  body: draw.text(500 + draw.int(300)),
});
const readings: Kind = (draw) => ({
  device: draw.hex(16),
  readings: draw.many(90, () => ({
    at: draw.time(),
    temperature: draw.number(45, 2),
    humidity: draw.number(100, 1),
    pressure: draw.number(1_100, 1),
  })),
});
const failure: Kind = (draw) => ({
  trace: draw.hex(32),
  error: draw.text(9),
  stack: draw.many(60, () => ({
    file: `${draw.word()}/${draw.word()}.ts`,
    line: draw.int(600),
    function: draw.word() + draw.int(10),
  })),
  host: `10.${draw.int(256)}.${draw.int(256)}.${draw.int(256)}`,
});
const features: Kind = (draw) => ({
  payment: draw.id(),
  scores: Object.fromEntries(
    draw.many(150, () => [`${draw.word()}_${draw.word()}`, draw.number(1, 6)]),
  ),
  amount: draw.number(5_000, 2),
});
const visit: Kind = (draw) => ({
  visit: draw.id(),
  steps: draw.many(70, () => ({
    kind: draw.one(['click', 'scroll', 'input', 'submit', 'hide']),
    path: `/${draw.word()}/${draw.word()}`,
    afterMs: draw.int(60_000),
  })),
});
const kinds = [order, page, search, message, readings, failure, features, visit];

/** `count` events as JSON, of 5 KB each on average: a list of one kind's. */
export function unlikeEvents(count: number): readonly string[] {
  const draw = new Draw(seededRandom(1));
  return Array.from({ length: count }, () => eventOf(draw));
}

function eventOf(draw: Draw): string {
  const kind = draw.one(kinds);
  const parts: string[] = [];
  for (let bytes = 2; bytes < eventLeastBytes; ) {
    const part = JSON.stringify(kind(draw));
    parts.push(part);
    bytes += part.length + 1;
  }
  return `[${parts.join(',')}]`;
}
