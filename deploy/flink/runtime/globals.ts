/**
 * What the engine's code uses beyond ES2022 and a bare script engine does not have: the methods
 * of ES2023 and ES2024, and of Node's `Buffer` what keys and origins need. Imported first by a bundle.
 * Nothing that is there already is replaced.
 */
import { fromBase64, fromUtf8, toBase64, toUtf8 } from './text-codec.ts';

function define(target: object, name: string, value: unknown): void {
  if (name in target) return;
  Object.defineProperty(target, name, { value, writable: true, configurable: true });
}

type AnyArray = readonly unknown[];
type Test = (value: unknown, index: number, all: AnyArray) => unknown;

function lastIndex(all: AnyArray, test: Test): number {
  for (let at = all.length - 1; at >= 0; at--) if (test(all[at], at, all) === true) return at;
  return -1;
}

/* Methods: `this` is the array. */
const arrayMethods: Readonly<Record<string, (this: unknown[], ...args: never[]) => unknown>> = {
  toReversed() {
    return [...this].reverse();
  },
  toSorted(compare?: (a: unknown, b: unknown) => number) {
    return [...this].sort(compare);
  },
  toSpliced(...args: [number, number, ...unknown[]]) {
    const copy = [...this];
    copy.splice(...args);
    return copy;
  },
  with(at: number, value: unknown) {
    const index = at < 0 ? this.length + at : at;
    if (index < 0 || index >= this.length) throw new RangeError(`invalid index ${at}`);
    const copy = [...this];
    copy[index] = value;
    return copy;
  },
  findLast(test: Test) {
    return this[lastIndex(this, test)];
  },
  findLastIndex(test: Test) {
    return lastIndex(this, test);
  },
};

for (const [name, method] of Object.entries(arrayMethods)) define(Array.prototype, name, method);

const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

define(String.prototype, 'isWellFormed', function isWellFormed(this: string): boolean {
  return this.search(loneSurrogate) < 0;
});
define(String.prototype, 'toWellFormed', function toWellFormed(this: string): string {
  return this.replace(loneSurrogate, '\ufffd');
});

type Encoding = 'utf8' | 'utf-8' | 'base64' | 'hex' | 'latin1';

function bytesOf(text: string, encoding: Encoding): Uint8Array {
  switch (encoding) {
    case 'base64':
      return fromBase64(text);
    case 'hex':
      return Uint8Array.from(text.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
    case 'latin1':
      return Uint8Array.from(text, (char) => char.charCodeAt(0));
    default:
      return toUtf8(text);
  }
}

class Bytes extends Uint8Array {
  /** Of a byte, or of the bytes of a text. */
  override indexOf(wanted: number | string, from = 0): number {
    if (typeof wanted === 'number') return super.indexOf(wanted, from);
    const text = toUtf8(wanted);
    for (let at = from; at + text.length <= this.length; at++)
      if (text.every((byte, n) => this[at + n] === byte)) return at;
    return -1;
  }

  override toString(encoding: Encoding = 'utf8'): string {
    switch (encoding) {
      case 'base64':
        return toBase64(this);
      case 'hex':
        return Array.from(this, (byte) => byte.toString(16).padStart(2, '0')).join('');
      case 'latin1':
        return Array.from(this, (byte) => String.fromCharCode(byte)).join('');
      default:
        return fromUtf8(this);
    }
  }
}

const wrapped = (bytes: Uint8Array): Bytes =>
  new Bytes(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);

define(globalThis, 'Buffer', {
  from(
    given: string | ArrayBuffer | ArrayLike<number>,
    encoding: Encoding | number = 'utf8',
    length?: number,
  ) {
    if (typeof given === 'string') return wrapped(bytesOf(given, encoding as Encoding));
    if (given instanceof ArrayBuffer) return new Bytes(given, encoding as number, length);
    return Bytes.from(given);
  },
  alloc: (size: number) => new Bytes(size),
  allocUnsafe: (size: number) => new Bytes(size),
  byteLength: (text: string) => toUtf8(text).length,
  isBuffer: (value: unknown) => value instanceof Bytes,
});

// Of schemas, which are JSON.
define(globalThis, 'structuredClone', (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value)),
);

/** What look-ups of the engine bound their calls with. */
class Signal {
  aborted = false;
  readonly #listeners: (() => void)[] = [];

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.push(listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.#listeners) listener();
  }
}

define(
  globalThis,
  'AbortController',
  class {
    readonly signal = new Signal();

    abort(): void {
      this.signal.abort();
    }
  },
);

// What is printed in a job goes nowhere: it has no standard output that somebody reads.
const printNothing = (): void => undefined;
define(globalThis, 'console', {
  debug: printNothing,
  log: printNothing,
  info: printNothing,
  warn: printNothing,
  error: printNothing,
});

define(
  globalThis,
  'TextEncoder',
  class {
    encode(text: string): Uint8Array {
      return toUtf8(text);
    }
  },
);
define(
  globalThis,
  'TextDecoder',
  class {
    decode(bytes: Uint8Array): string {
      return fromUtf8(bytes);
    }
  },
);
