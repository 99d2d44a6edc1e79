/**
 * How a value that a test pushes becomes an element: an event with all its attributes, from a record that never was.
 */
import type { EventAttributes, SluiceEvent } from '../../../schemas/event.ts';
import type { SourceNode } from '../../graph/graph.ts';
import type { Origin } from '../../graph/sink.ts';
import { splitKey } from '../../operators/batch.ts';

/** An event with `data`; whatever attributes a test does not care about are filled in. */
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

export function keyOfSplit(source: string, split: string): string {
  return splitKey({ source, path: 'kinesis', split });
}

export function originOf({ id, stream }: SourceNode, split: string, value: unknown): Origin {
  const attributes = value !== null && typeof value === 'object' && 'data' in value ? event(value.data, value as object) : event(value);
  const { data, ...rest } = attributes;
  const bytes = Buffer.from(JSON.stringify(data) ?? 'null');
  return { stream, path: 'kinesis', split, splitKey: keyOfSplit(id, split), position: '0', attributes: rest, data: bytes };
}
