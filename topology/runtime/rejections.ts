/**
 * From an operator's refusal to a row of the rejected table.
 */
import { isUtf8 } from 'node:buffer';
import { limits } from '../../schemas/limits.ts';
import type { RejectedEvent } from '../../schemas/rejection.ts';
import type { Graph } from '../graph/graph.ts';
import type { ElementBatch, Origin } from '../graph/sink.ts';
import type { Rejection } from '../operators/operator.ts';

export function rejectedEventOf(rejection: Rejection, origin: Origin, graph: Graph): RejectedEvent {
  const { attributes, data } = origin;
  const text = isUtf8(data);
  return {
    id: attributes.id,
    source: attributes.source,
    type: attributes.type,
    team: attributes.team,
    app: attributes.app,
    receivedtime: attributes.receivedtime,
    topology: graph.name,
    topology_version: graph.version,
    operator: rejection.node,
    code: rejection.code,
    message: rejection.message.slice(0, limits.rejectionMessageMaxChars),
    pointer: rejection.pointer,
    schema: rejection.schema,
    stream: origin.stream,
    path: origin.path,
    split: origin.split,
    position: origin.position,
    data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString(text ? 'utf8' : 'base64'),
    data_encoding: text ? 'utf8' : 'base64',
  };
}

/** Collects the rejected events of a turn, by column as sinks take them. */
export class RejectedRows implements ElementBatch {
  readonly values: RejectedEvent[] = [];
  readonly timestamps: number[] = [];
  readonly origins: (Origin | undefined)[] = [];

  get length(): number {
    return this.values.length;
  }

  add(event: RejectedEvent): void {
    this.values.push(event);
    this.timestamps.push(Date.parse(event.receivedtime));
    this.origins.push(undefined);
  }

  /** What was collected; this one is empty afterwards. */
  take(): ElementBatch {
    const taken = { length: this.length, values: [...this.values], timestamps: [...this.timestamps], origins: [...this.origins] };
    this.values.length = 0;
    this.timestamps.length = 0;
    this.origins.length = 0;
    return taken;
  }
}
