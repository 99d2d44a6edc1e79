/**
 * What a stream's JSON pointers find in an event. Pure.
 */
import type { StreamConfig } from '../../schemas/config.ts';
import type { Span } from '../../schemas/json-scan.ts';
import { findPointer, parsePointer } from '../../schemas/json-scan.ts';
import type { AttributeName, Given, Place } from './given.ts';
import type { Refusal } from './refusal.ts';
import { scalarAt } from './scalars.ts';

/** Where a stream's pointers find an attribute. */
export function pointedPlace({ event }: StreamConfig, name: AttributeName): Place {
  const pointer = event[name === 'partitionkey' ? 'key' : (name as 'id' | 'type' | 'time')];
  return pointer === undefined ? { label: name } : { label: name, pointer };
}

const pointerTargets = { id: 'id', time: 'time', key: 'partitionkey', type: 'type' } as const;

/** Puts into `given` what is found for what it does not say; or why something is missing. */
export function followPointers(
  body: Buffer,
  span: Span,
  stream: StreamConfig,
  given: Given,
): Refusal | undefined {
  for (const name of ['id', 'time', 'key', 'type'] as const) {
    const pointer = stream.event[name];
    if (pointer === undefined || given[pointerTargets[name]] !== undefined) continue;
    const found = findPointer(body, span, pathOf(pointer));
    const value = found === undefined ? undefined : scalarAt(body, found);
    if (value === undefined) {
      const message =
        found === undefined
          ? 'the member is missing'
          : 'the member is neither a string nor a number';
      return {
        status: 400,
        code: 'attribute-missing',
        message,
        expected: `the event's ${name} as a string or a number at ${pointer}`,
        pointer,
      };
    }
    given[pointerTargets[name]] = value;
  }
  return undefined;
}

const parsed = new Map<string, readonly string[]>();

/** A pointer of the configuration, parsed once. */
function pathOf(pointer: string): readonly string[] {
  let path = parsed.get(pointer);
  if (path === undefined) parsed.set(pointer, (path = parsePointer(pointer) ?? []));
  return path;
}
