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
  docs: {
    call: "t.source(id, stream('team/app', { dataText }))",
    summary: 'Reads a stream: its Kinesis stream and its Kafka topic as one.',
    options: {
      dataText: {
        value: '`true` or `false`',
        byDefault: '`false`',
        summary:
          "Events also carry the client's bytes of `data` as text: numbers beyond 2^53 stay as they were sent",
      },
    },
    outputs: 'One stream of events, whose data is of unknown type until `validate`.',
    state: 'The position of each split.',
    example: `
import { stream, topology } from 'sluice';

export default topology('copies', { version: 1, owner: 'shop/web' }, (t) => {
  t.source('clicks', stream('shop/clicks'));
});
`,
  },
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
