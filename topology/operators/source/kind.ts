/**
 * A source: a Kinesis stream and a Kafka topic, read as one.
 */
import type { NodeBase } from '../../nodes/node.ts';
import type { Kind } from '../kind.ts';

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  /** `team/app`: a Kinesis stream and a Kafka topic as one. */
  readonly stream: string;
  /** Whether events carry the client's bytes of `data` as text. */
  readonly dataText: boolean;
}

export const sourceKind: Kind<SourceNode> = {
  name: 'source',
  summary: ({ stream }) => `source ${stream}`,
  outline: ['([', '])'],
  problems: ({ stream }) =>
    /^[^/]+\/[^/]+$/.test(stream)
      ? []
      : [
          {
            message: `its stream must be 'team/app', not '${stream}'`,
            fix: "write stream('team/app')",
          },
        ],
  state: {
    options: ({ stream, dataText }) => ({ stream, dataText }),
    rules: { stream: { why: 'its positions are of the old stream' } },
    whenGone: () =>
      'was removed: under another id its stream would be read from the beginning again',
  },
};
