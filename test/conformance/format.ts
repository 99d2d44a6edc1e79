/**
 * The format's table: which configuration and which steps each operator takes, and how its
 * expectations are compared.
 *
 * Invariants:
 * 1. A check answers undefined for a value of the right type, else what it expected, in words.
 * 2. Whole numbers are exact: beyond 2^53 a number is refused rather than rounded.
 */
import type { Config } from './case.ts';

/** `config` is the case's, already found to be right. */
type Check = (value: unknown, config: Config) => string | undefined;
type Checks = Readonly<Record<string, Check>>;

interface Format {
  readonly config: Checks;
  readonly required: readonly string[];
  readonly steps: Checks;
  /** Steps that bring elements: consecutive ones may arrive in one batch. */
  readonly feeds: readonly string[];
}

const expected =
  (words: string, test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? undefined : words;

const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
const isKey = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);

const integer = expected('a whole number', isInteger);
const positive = expected('a whole number above 0', (value) => isInteger(value) && value > 0);
const count = expected('a whole number from 0', (value) => isInteger(value) && value >= 0);
const number = expected('a number', (value) => typeof value === 'number' && Number.isFinite(value));
const flag = expected('true or false', (value) => typeof value === 'boolean');
const yes = expected('true', (value) => value === true);
const text = expected('text', (value) => typeof value === 'string');
const keyText = expected('a key (text, number or boolean)', isKey);
const something = expected('a value', (value) => value !== null && value !== undefined);
const anything = expected('a value or null', (value) => value !== undefined);
const integerOrNull = expected(
  'a whole number or null',
  (value) => value === null || isInteger(value),
);
const time = expected('a whole number or max', (value) => isInteger(value) || value === 'max');
const signal = expected(
  'a whole number, max, idle or active',
  (value) => isInteger(value) || ['max', 'idle', 'active'].includes(value as string),
);

const oneOf = (...words: readonly string[]): Check =>
  expected(words.join(' or '), (value) => words.includes(value as string));

function tuple(...parts: readonly (readonly [name: string, check: Check])[]): Check {
  return (value, config) => {
    const shape = `[${parts.map(([name]) => name).join(', ')}]`;
    if (!Array.isArray(value) || value.length !== parts.length) return shape;
    for (const [index, [name, check]] of parts.entries()) {
      const wrong = check(value[index], config);
      if (wrong !== undefined) return `${shape} with ${name} ${wrong}`;
    }
    return undefined;
  };
}

function list(check: Check): Check {
  return (value, config) => {
    if (!Array.isArray(value)) return 'a list';
    for (const part of value) {
      const wrong = check(part, config);
      if (wrong !== undefined) return `a list, each ${wrong}`;
    }
    return undefined;
  };
}

/** A mapping with some (`all`: every one) of the keys. */
function mapping(checks: Checks, all: boolean): Check {
  const names = Object.keys(checks);
  return (value, config) => {
    const words = `a mapping with ${names.join(all ? ' and ' : ' or ')}`;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return words;
    const given = Object.entries(value);
    if (given.length === 0 || (all && given.length !== names.length)) return words;
    for (const [name, part] of given) {
      const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
      if (check === undefined) return words;
      const wrong = check(part, config);
      if (wrong !== undefined) return `${words}, ${name} being ${wrong}`;
    }
    return undefined;
  };
}

const either =
  (first: Check, second: Check): Check =>
  (value, config) =>
    first(value, config) === undefined ? undefined : second(value, config);

/** With `panes` a row of a window ends with its pane. */
const windowRow: Check = (value, config) => {
  const row = [
    ['key', keyText],
    ['sum', number],
    ['start', integer],
    ['end', integer],
    ['ts', integer],
  ] as const;
  const pane = [
    ['index', count],
    ['timing', oneOf('early', 'onTime', 'late')],
    ['last', flag],
  ] as const;
  return tuple(...row, ...(config['panes'] === true ? pane : []))(value, config);
};

/** The number of one of the case's inputs. */
const input: Check = (value, config) =>
  isInteger(value) && value >= 0 && value < (config['inputs'] as number)
    ? undefined
    : `an input from 0 to ${(config['inputs'] as number) - 1}`;

const assigner: Checks = {
  tumbling: integer,
  sliding: integer,
  slide: integer,
  session: integer,
  offset: integer,
};

const formats = {
  assign: {
    config: assigner,
    required: [],
    steps: { in: integer, expect: list(tuple(['start', integer], ['end', integer])), error: yes },
    feeds: ['in'],
  },
  window: {
    config: {
      ...assigner,
      allowedLateness: count,
      mode: oneOf('accumulating', 'discarding'),
      early: positive,
      panes: yes,
    },
    required: [],
    steps: {
      in: tuple(['key', keyText], ['value', number], ['ts', integer]),
      watermark: time,
      expect: list(windowRow),
      expectLate: list(tuple(['key', keyText], ['value', number], ['ts', integer])),
      expectWatermarks: list(time),
    },
    feeds: ['in'],
  },
  intervalJoin: {
    config: {
      lower: integer,
      upper: integer,
      lowerExclusive: flag,
      upperExclusive: flag,
      join: oneOf('inner', 'left'),
      late: oneOf('drop', 'side'),
    },
    required: ['lower', 'upper'],
    steps: {
      left: tuple(['key', keyText], ['ts', integer]),
      right: tuple(['key', keyText], ['ts', integer]),
      watermark: either(time, mapping({ left: time, right: time }, false)),
      expect: list(tuple(['leftTs', integer], ['rightTs', integerOrNull], ['ts', integer])),
      expectLate: mapping({ left: list(integer), right: list(integer) }, false),
      expectWatermarks: list(time),
    },
    feeds: ['left', 'right'],
  },
  watermarks: {
    config: { delay: count, idleAfter: count },
    required: [],
    steps: { event: integer, tick: yes, clock: integer, expect: list(signal) },
    feeds: ['event'],
  },
  merge: {
    config: { inputs: count, rule: oneOf('valve', 'combined') },
    required: ['inputs'],
    steps: {
      watermark: mapping({ input, at: time }, true),
      idle: input,
      active: input,
      end: input,
      expect: list(signal),
    },
    feeds: [],
  },
  timers: {
    config: { register: mapping({ eventTimer: integer, processingTimer: integer }, false) },
    required: ['register'],
    steps: {
      in: tuple(['key', keyText], ['value', something], ['ts', integer]),
      watermark: time,
      clock: integer,
      expect: list(
        tuple(
          ['key', keyText],
          ['value', something],
          ['kind', oneOf('element', 'event', 'processing')],
          ['ts', integer],
        ),
      ),
    },
    feeds: ['in'],
  },
  ttl: {
    config: { ttl: positive, refresh: oneOf('write', 'readWrite') },
    required: ['ttl'],
    steps: {
      put: tuple(['key', keyText], ['value', something]),
      get: keyText,
      clock: integer,
      expect: list(anything),
    },
    feeds: ['put', 'get'],
  },
  deduplicate: {
    config: { within: count },
    required: ['within'],
    steps: {
      in: tuple(['id', keyText], ['ts', integer]),
      watermark: time,
      expect: list(tuple(['id', keyText], ['ts', integer])),
      expectLate: list(tuple(['id', keyText], ['ts', integer])),
    },
    feeds: ['in'],
  },
  keyGroup: {
    config: { maxParallelism: positive, parallelism: positive },
    required: ['maxParallelism', 'parallelism'],
    steps: { key: text, expect: tuple(['keyGroup', count], ['operatorIndex', count]) },
    feeds: [],
  },
} as const satisfies Readonly<Record<string, Format>>;

export type OperatorName = keyof typeof formats;

export function formatOf(operator: OperatorName): Format {
  return formats[operator];
}

export const operatorNames = Object.keys(formats) as readonly OperatorName[];

export function isOperatorName(name: unknown): name is OperatorName {
  return typeof name === 'string' && Object.hasOwn(formats, name);
}

/**
 * What is wrong with the configuration. One that is to be refused (`refusal`) need not make sense,
 * only be whole numbers of known names.
 */
export function configProblem(
  operator: OperatorName,
  config: Readonly<Record<string, unknown>>,
  refusal: boolean,
): string | undefined {
  const format = formatOf(operator);
  for (const [name, value] of Object.entries(config)) {
    const check = Object.hasOwn(format.config, name) ? format.config[name] : undefined;
    if (check === undefined)
      return `unknown key ${JSON.stringify(name)}; ${operator} takes ${Object.keys(format.config).join(', ')}`;
    const wrong = check(value, {});
    if (wrong !== undefined) return `${name}: expected ${wrong}, not ${JSON.stringify(value)}`;
  }
  const missing = format.required.find((name) => config[name] === undefined);
  if (missing !== undefined) return `${missing} is required`;
  if (operator !== 'assign' && operator !== 'window') return undefined;
  const kinds = ['tumbling', 'sliding', 'session'].filter((name) => config[name] !== undefined);
  if (kinds.length !== 1) return 'expected exactly one of tumbling, sliding, session';
  const [kind] = kinds;
  if (kind !== 'sliding' && config['slide'] !== undefined) return '`slide` belongs to sliding';
  if (kind === 'session' && config['offset'] !== undefined) return 'a session has no offset';
  if (refusal || kind !== 'sliding' || config['slide'] !== undefined) return undefined;
  return 'sliding needs `slide`';
}

export type Comparison = 'multiset' | 'list' | 'set';

/**
 * How what was found is compared with an expectation of this kind (`expect`, `expectLate`, ...).
 */
export function comparisonOf(operator: OperatorName, kind: string): Comparison {
  if (kind === 'expectWatermarks') return 'list';
  if (operator === 'assign') return 'set';
  return operator === 'watermarks' || operator === 'merge' || operator === 'keyGroup'
    ? 'list'
    : 'multiset';
}
