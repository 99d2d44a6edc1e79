/**
 * What JavaScript has or does elsewhere than on the engine of a Flink job, as data: what is found,
 * what comes of it, what to do instead.
 *
 * What differs was measured with GraalJS 22.3.5 against Node 20, by 71 probes. Equal in all of them: the text of numbers, the order of
 * keys, JSON, dates in UTC, the regular expressions of ES2022, stable sorting, integers.
 */

export interface Difference {
  /** `problem`: it cannot run. `warning`: it runs, and may differ. */
  readonly severity: 'problem' | 'warning';
  /** Whether GraalJS does not have it: a problem where it is sure to be called. */
  readonly isLacking?: true;
  /** What is wrong with `found`, as it is written in the source. */
  readonly message: (found: string) => string;
  readonly fix: string;
}

export const differences = {
  math: {
    severity: 'warning',
    message: (found) => `the last digit of ${found} differs from that of Node`,
    fix: 'round what it gives to the digits that you need, or use + - * / and Math.sqrt, which are the same everywhere',
  },
  'math-value': {
    severity: 'warning',
    message: (found) =>
      `${found} is passed on as a value: whether it is asked for functions that differ cannot be seen`,
    fix: 'call its functions by name, as Math.round(x)',
  },
  intl: {
    severity: 'warning',
    message: (found) => `the texts of ${found} follow the release of ICU, which is another one`,
    fix: 'write the text with your own code, or let who reads the rows format it',
  },
  locale: {
    severity: 'warning',
    message: (found) =>
      `${found} follows the default locale and the release of ICU, which are others`,
    fix: 'compare with < and >, and write texts with your own code',
  },
  newer: {
    severity: 'warning',
    isLacking: true,
    message: (found) => `${found} is newer than ES2022, which is what the job's engine has`,
    fix: 'write it with what ES2022 has, or bundle a package that brings it along',
  },
  'date-text': {
    severity: 'warning',
    message: (found) => `${found} names the time zone in other words than Node`,
    fix: 'use toISOString()',
  },
  'local-time': {
    severity: 'warning',
    message: (found) => `${found} depends on the time zone of the machine that runs it`,
    fix: 'use the functions of UTC, such as getUTCHours() and Date.UTC()',
  },
  clock: {
    severity: 'warning',
    message: (found) => `${found} is the time of the machine: the same events give other results`,
    fix: "use the element's time: the second argument of a function has `timestamp`",
  },
  random: {
    severity: 'warning',
    message: (found) => `${found} differs with each run: the same events give other results`,
    fix: 'derive it from the element, such as from its id',
  },
  comparator: {
    severity: 'warning',
    message: (found) =>
      `the comparator of ${found} does not say which of two comes first: engines order them differently`,
    fix: 'return a negative number, 0 or a positive number, which depends on the two alone: (a, b) => a - b',
  },
  'error-text': {
    severity: 'warning',
    message: (found) => `${found} is the engine's own text: it has other words for the same error`,
    fix: 'return a code of your own in its place',
  },
  global: {
    severity: 'problem',
    message: (found) => `${found} is not part of JavaScript: a Flink job does not have it`,
    fix: 'do without, or import a package that is JavaScript alone',
  },
  'guarded-global': {
    severity: 'warning',
    message: (found) =>
      `${found} is not part of JavaScript: a Flink job takes the way without it, which may be another one`,
    fix: 'make sure that what is done without it is the same',
  },
  module: {
    severity: 'problem',
    message: (found) => `${found} belongs to a module: a Flink job runs one script`,
    fix: 'import what you need at the top of the file',
  },
  'top-await': {
    severity: 'problem',
    message: (found) => `${found} waits while the topology is loaded: a Flink job cannot wait`,
    fix: 'import the data, or generate a module of it before',
  },
  async: {
    severity: 'warning',
    message: (found) => `${found} is asynchronous: a Flink job does not wait for its promise`,
    fix: 'make it synchronous; what has to be asked for is a lookup with connector(name)',
  },
} as const satisfies Readonly<Record<string, Difference>>;

export type DifferenceName = keyof typeof differences;

export const differenceOf = (name: DifferenceName): Difference => differences[name];

/**
 * By what GraalJS and Node gave for 20,000 arguments; those of which none differed are not here. A
 * test asks the job's engine again.
 */
export const differingMath: ReadonlySet<string> = new Set(
  'sin cos tan exp log log10 log2 cbrt pow acosh asinh atanh'.split(' '),
);

/**
 * Powers that are the same everywhere. Not 0.5: Java 11 does not take it for a root, as Java 17 does;
 * `Math.sqrt` is the same.
 */
export const samePowers: ReadonlySet<unknown> = new Set([1, 2]);

export const localeMethods: ReadonlySet<string> = new Set([
  'localeCompare',
  'toLocaleDateString',
  'toLocaleLowerCase',
  'toLocaleString',
  'toLocaleTimeString',
  'toLocaleUpperCase',
]);

export const dateTextMethods: ReadonlySet<string> = new Set(['toDateString', 'toTimeString']);

export const localTimeMethods: ReadonlySet<string> = new Set(
  ['FullYear', 'Month', 'Date', 'Day', 'Hours', 'Minutes', 'TimezoneOffset']
    .flatMap((part) => [`get${part}`, `set${part}`])
    .concat('getYear', 'setYear'),
);

/**
 * Methods since ES2023 whose names nothing else in JavaScript has. Those of arrays are brought along
 * by the bundle of a job.
 */
export const newerMethods: ReadonlySet<string> = new Set([
  ...['isWellFormed', 'toWellFormed'],
  ...['isDisjointFrom', 'isSubsetOf', 'isSupersetOf', 'symmetricDifference'],
]);

/** Those of sets since ES2025, whose names other things have, too. */
export const newerSetMethods: ReadonlySet<string> = new Set([
  'difference',
  'intersection',
  'union',
]);

/** What iterators have since ES2025, and arrays always had. */
export const iteratorMethods: ReadonlySet<string> = new Set(
  'drop every filter find flatMap forEach map reduce some take toArray'.split(' '),
);

export const newerStatics: ReadonlySet<string> = new Set([
  'Array.fromAsync',
  'Error.isError',
  'Map.groupBy',
  'Math.f16round',
  'Math.sumPrecise',
  'Object.groupBy',
  'Promise.try',
  'Promise.withResolvers',
  'RegExp.escape',
]);

export const newerGlobals: ReadonlySet<string> = new Set(['Float16Array', 'Iterator']);

/** What ES2022 has beside its syntax, with Intl; what is neither here nor above is of Node. */
export const languageGlobals: ReadonlySet<string> = new Set(
  `AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Boolean DataView Date
  Error EvalError FinalizationRegistry Float32Array Float64Array Function Infinity Int16Array Int32Array
  Int8Array Intl JSON Map Math NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp
  Set SharedArrayBuffer String Symbol SyntaxError TypeError URIError Uint16Array Uint32Array Uint8Array
  Uint8ClampedArray WeakMap WeakRef WeakSet arguments decodeURI decodeURIComponent encodeURI
  encodeURIComponent escape eval globalThis isFinite isNaN parseFloat parseInt undefined unescape`
    .trim()
    .split(/\s+/),
);
