/**
 * Turns a value that a test pushes into an element: an event with all its attributes, as if from a
 * record.
 */
import type { EventAttributes, SluiceEvent } from '../../../schemas/event.ts';
import { limits } from '../../../schemas/limits.ts';
import type { Origin } from '../../nodes/sink.ts';
import { splitKey } from '../../operators/batch.ts';
import type { SourceNode } from '../../operators/source/kind.ts';

/**
 * An event with `data`; attributes that the test does not set are filled in.
 *
 * @example
 * await driver.push('clicks', event({ page: '/' }, { id: 'e1', time: '2026-01-31T08:00:00Z' }));
 */
export function event<D>(data: D, attributes: Partial<EventAttributes> = {}): SluiceEvent<D> {
  const { team = 'test', app = 'test' } = attributes;
  return {
    id: 'test',
    source: `/${team}/${app}`,
    type: `${team}.${app}`,
    time: '1970-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    team,
    app,
    partitionkey: 'test',
    receivedtime: '1970-01-01T00:00:00.000Z',
    ...attributes,
    data,
  };
}

/**
 * A value without the members that JSON leaves out: undefined is as good as not there in what a
 * client sends.
 */
export function asSent(value: unknown, depth: number = limits.valueDepthMax): unknown {
  if (
    typeof value !== 'object' ||
    value === null ||
    depth === 0 ||
    !Object.values(value).some(mayLeaveOut)
  )
    return value;
  if (Array.isArray(value)) return value.map((part) => asSent(part, depth - 1));
  // What is of a class is no JSON, and is to be refused as what it is.
  if (Object.getPrototypeOf(Object.getPrototypeOf(value) ?? Object.prototype) !== null)
    return value;
  const members = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(members.map(([name, part]) => [name, asSent(part, depth - 1)]));
}

const mayLeaveOut = (part: unknown): boolean => part === undefined || typeof part === 'object';

export function keyOfSplit(source: string, split: string): string {
  return splitKey({ source, route: 'kinesis', split });
}

export function originOf({ id, stream }: SourceNode, split: string, value: unknown): Origin {
  const attributes =
    value !== null && typeof value === 'object' && 'data' in value
      ? event(value.data, value as object)
      : event(value);
  const { data, ...rest } = attributes;
  const bytes = Buffer.from(JSON.stringify(data) ?? 'null');
  return {
    stream,
    path: 'kinesis',
    split,
    splitKey: keyOfSplit(id, split),
    position: '0',
    attributes: rest,
    data: bytes,
  };
}
