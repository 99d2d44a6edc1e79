/**
 * Requests made by a grammar from a seed: valid ones, nearly valid ones, and how each is cut into
 * segments. The same seed and index make the same request; a request is a list of lines, so that
 * one that shows a difference can be made smaller.
 */

export interface MadeRequest {
  /** Request line and headers, without their line ends. */
  readonly lines: readonly string[];
  /** What is behind the head, as it goes over the wire; a character a byte. */
  readonly tail: string;
  /** Between lines, and behind the head. */
  readonly lineEnd: string;
  /** Where the bytes are cut into segments. */
  readonly cuts: readonly number[];
  /** What the event is known by. */
  readonly mark: string;
}

export function bytesOf({ lines, tail, lineEnd }: MadeRequest): Buffer {
  return Buffer.from(`${lines.join(lineEnd)}${lineEnd}${lineEnd}${tail}`, 'latin1');
}

export function segmentsOf(made: MadeRequest): readonly Buffer[] {
  const bytes = bytesOf(made);
  const ends = [...made.cuts.filter((cut) => cut > 0 && cut < bytes.length), bytes.length];
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

/** Mulberry32: small, fast, and the same everywhere. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const tokenChars = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const valueChars = ' !"#$%&\'()*+,-./09:;<=>?@AZ[\\]^_`az{|}~\t\xe9\xff';
/** What head, framing and bodies are made of, and what they are not. */
const spoilers = [
  '\0',
  '\t',
  '\n',
  '\v',
  '\r',
  '\r\n',
  ' ',
  '"',
  ',',
  ':',
  ';',
  '=',
  '{',
  '}',
  '_',
  '0',
  '9',
  'A',
  'x',
  '\x7f',
  '\x80',
  '\xff',
  '%',
  '/',
];

class Maker {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomFrom(seed);
  }

  below(count: number): number {
    return Math.floor(this.#next() * count);
  }

  chance(of: number): boolean {
    return this.#next() < of;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  text(chars: string, most: number): string {
    return Array.from({ length: this.below(most + 1) }, () => chars[this.below(chars.length)]).join(
      '',
    );
  }
}

/** Whether the request of this index has a changed byte, anywhere. */
export function isSpoiled(index: number): boolean {
  return index % 10 >= 8;
}

/**
 * `index` tells what is made: of every ten, four are valid, one is valid and cut at each byte in
 * turn, three have one fault, two a changed byte.
 */
export function makeRequest(seed: number, index: number): MadeRequest {
  const kind = index % 10;
  // Those that are cut at each byte in turn share what is cut.
  const maker = new Maker(
    (kind === 4 ? seed + 7 * (Math.floor(index / 10) % 64) : seed + 31 * index) | 0,
  );
  // Its number twice: a changed byte must not make it another's.
  const mark = `m${index}x${index}y`;
  let made = valid(maker, mark);
  if (kind === 4)
    return { ...made, cuts: [1 + (Math.floor(index / 640) % (bytesOf(made).length - 1))] };
  if (kind >= 5 && kind < 8) made = maker.pick(faults)(made, maker);
  if (isSpoiled(index)) made = spoiled(made, maker);
  return maker.chance(0.5) ? made : { ...made, cuts: cutsOf(maker, bytesOf(made).length) };
}

function cutsOf(maker: Maker, length: number): readonly number[] {
  return Array.from({ length: 1 + maker.below(3) }, () => 1 + maker.below(length)).toSorted(
    (a, b) => a - b,
  );
}

function valid(maker: Maker, mark: string): MadeRequest {
  const body = JSON.stringify({ mark, pad: 'p'.repeat(maker.below(40)), n: maker.below(1_000) });
  const head = [
    `POST /v1/a/plain${maker.chance(0.2) ? `?q=${maker.text('abc123%20', 6)}` : ''} HTTP/1.1`,
    `${maker.pick(['Host', 'host', 'HOST'])}:${maker.pick(['', ' ', '\t '])}${maker.pick(['localhost', '127.0.0.1', 'localhost:8080', '[::1]:80'])}`,
    'Content-Type: application/json',
  ];
  // A name that nobody reads, with any characters that one may have.
  for (let n = maker.below(3); n > 0; n--)
    head.push(`X${maker.text(maker.chance(0.3) ? tokenChars : 'abcXYZ-', 12)}:${value(maker)}`);
  if (maker.chance(0.1)) head.push('Expect: 100-continue');
  if (maker.chance(0.6)) {
    head.push(
      `${maker.pick(['Content-Length', 'content-length'])}: ${maker.pick(['', '', '0', '00'])}${body.length}`,
    );
    return { lines: shuffled(maker, head), tail: body, lineEnd: '\r\n', cuts: [], mark };
  }
  head.push(`Transfer-Encoding: ${maker.pick(['chunked', 'Chunked'])}`);
  return {
    lines: shuffled(maker, head),
    tail: chunks(maker, body),
    lineEnd: '\r\n',
    cuts: [],
    mark,
  };
}

function value(maker: Maker): string {
  return maker.pick([' ', '', '\t']) + maker.text(valueChars, 20);
}

function shuffled(maker: Maker, [first = '', ...rest]: readonly string[]): readonly string[] {
  const lines = [...rest];
  for (let at = lines.length - 1; at > 0; at--) {
    const other = maker.below(at + 1);
    [lines[at], lines[other]] = [lines[other] as string, lines[at] as string];
  }
  return [first, ...lines];
}

function chunks(maker: Maker, body: string): string {
  let out = '';
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, 1 + maker.below(30));
    const hex = size.toString(16);
    out += `${maker.pick(['', '', '0', '000'])}${maker.chance(0.5) ? hex : hex.toUpperCase()}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  return `${out}0\r\n\r\n`;
}

type Fault = (made: MadeRequest, maker: Maker) => MadeRequest;

const withLine =
  (line: string): Fault =>
  (made, maker) => {
    const at = 1 + maker.below(made.lines.length);
    return { ...made, lines: [...made.lines.slice(0, at), line, ...made.lines.slice(at)] };
  };
const without =
  (name: RegExp): Fault =>
  (made) => ({ ...made, lines: made.lines.filter((line, at) => at === 0 || !name.test(line)) });
const first =
  (change: (line: string) => string): Fault =>
  (made) => ({ ...made, lines: [change(made.lines[0] ?? ''), ...made.lines.slice(1)] });
const each =
  (name: RegExp, change: (line: string) => string): Fault =>
  (made) => ({
    ...made,
    lines: made.lines.map((line, at) => (at > 0 && name.test(line) ? change(line) : line)),
  });
const length = /^content-length/i;
const coding = /^transfer-encoding/i;

const faults: readonly Fault[] = [
  withLine('Content-Length: 5'),
  withLine('Content-Length: 0'),
  withLine('Content-Length:'),
  withLine('Transfer-Encoding: chunked'),
  withLine('Transfer-Encoding: identity'),
  withLine('Transfer-Encoding: gzip, chunked'),
  withLine('Trailer: X-Sum'),
  withLine('Host: other.example'),
  withLine('Host: localhost'),
  withLine('X-Bad : 1'),
  withLine(' folded'),
  withLine('no colon'),
  withLine(': no name'),
  withLine('X[]: 1'),
  withLine('Authorization: Bearer one'),
  withLine('Expect: nothing-known'),
  without(/^host/i),
  without(length),
  without(coding),
  each(/^host/i, () => 'Host: a b'),
  each(/^host/i, () => 'Host:'),
  each(/^host/i, () => 'Host: a/b'),
  each(length, (line) => `${line}0`),
  each(length, (line) => line.replace(/: /, ': +')),
  each(length, (line) => `${line}, 7`),
  each(length, (line) => line.replace(/\d+$/, (digits) => `0x${Number(digits).toString(16)}`)),
  each(coding, () => 'Transfer-Encoding: xchunked'),
  each(coding, () => 'Transfer-Encoding: chunked, chunked'),
  each(coding, () => 'Transfer-Encoding: "chunked"'),
  first((line) => line.replace('HTTP/1.1', 'HTTP/1.0')),
  first((line) => line.replace('HTTP/1.1', 'HTTP/2.0')),
  first((line) => line.replace('HTTP/1.1', 'HTTP/1.2')),
  first((line) => line.replace(' HTTP/1.1', '')),
  first((line) => line.replace('POST', 'post')),
  first((line) => line.replace('POST ', 'POST  ')),
  first((line) => line.replace(' /v1', ' http://localhost/v1')),
  first((line) => `\r\n${line}`),
  first((line) => `${line} `),
  (made) => ({ ...made, lineEnd: '\n' }),
  (made) => ({ ...made, tail: made.tail.slice(0, -1) }),
  (made) => ({ ...made, tail: `${made.tail}garbage` }),
  (made) => ({ ...made, tail: made.tail.replace(/\r\n/, ';name=value\r\n') }),
  (made) => ({ ...made, tail: made.tail.replace(/0\r\n\r\n$/, '0\r\nX-Sum: 1\r\n\r\n') }),
  (made) => ({ ...made, tail: made.tail.replace(/^[0-9A-Fa-f]+\r\n/, (size) => `+${size}`) }),
  (made) => ({ ...made, tail: made.tail.replace(/^[0-9A-Fa-f]+\r\n/, (size) => `0x${size}`) }),
  (made) => ({ ...made, tail: made.tail.replace(/\r\n/, '\n') }),
  (made) => ({ ...made, tail: made.tail.replace('mark', 'ma\x01rk') }),
  (made) => ({ ...made, tail: made.tail.replace('mark', 'ma\xffrk') }),
];

/** One byte put in, taken out or changed, anywhere. */
function spoiled(made: MadeRequest, maker: Maker): MadeRequest {
  const change = (text: string): string => {
    const at = maker.below(text.length + 1);
    const [from, put] = maker.pick([
      [0, maker.pick(spoilers)],
      [1, ''],
      [1, maker.pick(spoilers)],
    ] as const);
    return text.slice(0, at) + put + text.slice(at + from);
  };
  if (maker.chance(0.25)) return { ...made, tail: change(made.tail) };
  const at = maker.below(made.lines.length);
  return { ...made, lines: made.lines.map((line, index) => (index === at ? change(line) : line)) };
}
