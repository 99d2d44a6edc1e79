/**
 * Checks a JSON value in WebAssembly, strings sixteen bytes at a time, in a third of the time of
 * json-skip.ts. json-skip.ts finds the fault in a bad text, and checks texts that are too long for
 * this one. `binary` is json-check.wat, compiled; a test compiles it again and compares.
 *
 * Invariants:
 * 1. It accepts exactly what json-skip.ts accepts, with the same end.
 * 2. The text is copied into its memory and checked there; bytes of an earlier text are never read
 *    as part of it.
 */
import { assert } from './kernel/assert.ts';
import { limits } from './limits.ts';

const binary =
  'AGFzbQEAAAABDAJgAX8Bf2ACf38BfwMKCQAAAAAAAAAAAQUDAQACBggBfwBBgIAGCwcRAgZtZW1vcnkCAARza2lwAAgKiggJMwEBfwNAIAAtAAAhASABQSBGIAFBCkZyIA' +
  'FBDUYgAUEJRnJyBEAgAEEBaiEADAELCyAACxcAIABBMGtBCkkgAEEgckHhAGtBBklyC38BAX8gAC0AACEBIAFB9QBGBEAgAC0AARABIAAtAAIQAXEgAC0AAxABIAAtAAQQ' +
  'AXFxBEAgAEEFag8LQQAPCyABQSJGIAFBL0ZyIAFB3ABGIAFB4gBGcnIgAUHmAEYgAUHuAEZyIAFB8gBGIAFB9ABGcnJyBEAgAEEBag8LQQALjAEDAXsCfwN7QSL9DyEEQd' +
  'wA/Q8hBUEf/Q8hBgNAIAD9AAQAIQEgASAE/SMgASAF/SP9UCABIAb9dyAB/SP9UP1kIQIgAkUEQCAAQRBqIQAMAQsgACACaGohACAALQAAIQMgAEEBaiEAIANBIkYEQCAA' +
  'DwsgA0HcAEcEQEEADwsgABACIQAgAA0AC0EACywBAX8gACEBA0AgAC0AAEEwa0EKSQRAIABBAWohAAwBCwsgAEEAIAAgAUcbC44BAQF/IAAtAABBLUYEQCAAQQFqIQALIA' +
  'AtAABBMEYEQCAAQQFqIQAFIAAQBCEAIABFBEBBAA8LCyAALQAAQS5GBEAgAEEBahAEIQAgAEUEQEEADwsLIAAtAABBIHJB5QBGBEAgAEEBaiEAIAAtAAAhASABQStGIAFB' +
  'LUZyBEAgAEEBaiEACyAAEAQPCyAAC0UBAX8gACgCACEBIAFB9OTVqwZGIAFB7uqx4wZGcgRAIABBBGoPCyABQebCsZsHRiAALQAEQeUARnEEQCAAQQVqDwtBAAtbACAALQ' +
  'AAQSJHBEBBAA8LIABBAWoQAyEAIABFBEBBAA8LIAAtAABBIE0EQCAAEAAhAAsgAC0AAEE6RwRAQQAPCyAAQQFqIQAgAC0AAEEgTQRAIAAQACEACyAAC84CAQR/A0ACQCAA' +
  'LQAAIQIgAkEiRgRAIABBAWoQAyEAIAANAUEADwsgAkH7AEYhBSAFIAJB2wBGcgRAIAMgAU8EQEEADwsgAEEBahAAIQAgAC0AACACQQJqRgRAIABBAWohAAwCCyAFIQQjAC' +
  'ADaiAFOgAAIANBAWohAyAFBEAgABAHIQAgAEUEQEEADwsLDAILIAJBMGtBCkkgAkEtRnIEQCAAEAUhAAUgABAGIQALIABFBEBBAA8LCwNAIANFBEAgAA8LIAAtAAAhAiAC' +
  'QSBNBEAgABAAIQAgAC0AACECCyACQSxGBEAgAEEBaiEAIAAtAABBIE0EQCAAEAAhAAsgBARAIAAQByEAIABFBEBBAA8LCwwCCyACQf0AQd0AIAQbRwRAQQAPCyAAQQFqIQ' +
  'AgA0EBayEDIAMEQCMAIANqQQFrLQAAIQQLDAALC0EACw==';

/**
 * Where the text ends at the latest, with the zeros after it; the open containers are noted from
 * there on.
 */
const textMaxBytes = 0x18000;
const zeroBytes = 16;
const memoryBytes = 0x20000;

/** What is used of it: the types of Node declare the name, and nothing of it that can be made. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
};

const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, 'base64')));
const skip = exports['skip'] as (at: number, depthMax: number) => number;
const memory = new Uint8Array((exports['memory'] as { readonly buffer: ArrayBuffer }).buffer);
assert(
  memory.length === memoryBytes && textMaxBytes + limits.jsonDepthMax <= memoryBytes,
  'the memory holds a text and its open containers',
);

/**
 * The end of the value that starts at `start`; -1 when there is none, or it cannot be told here.
 */
export function endOfValue(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length > textMaxBytes - zeroBytes) return -1;
  memory.set(start === 0 && end === bytes.length ? bytes : bytes.subarray(start, end));
  memory.fill(0, length, length + zeroBytes);
  const valueEnd = skip(0, limits.jsonDepthMax);
  return valueEnd === 0 ? -1 : start + valueEnd;
}
