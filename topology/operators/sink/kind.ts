/**
 * A sink: what is particular to a kind of sink is in its module (sinks.ts).
 */
import type { Kind } from '../kind.ts';
import type { StreamCall } from '../node-builder.ts';
import type { SinkDefinitionData, SinkNode } from './node.ts';
import { sinkKindOf, sinkKinds } from './sinks.ts';

export const sinkKind: Kind<SinkNode> = {
  name: 'sink',
  docs: {
    call: `sinkTo(id, ${sinkKinds.map(({ docs }) => docs.call).join(' or ')})`,
    sql: [
      ['`INSERT INTO`', sinkKinds.map(({ docs }) => `\`sinkTo(id, ${docs.call})\``).join(', ')],
    ],
    summary: 'Where a stream ends. A stream may end in several sinks.',
    outputs: 'None.',
    lateness: 'None: what arrives is written.',
    state: 'What its writer staged and has not committed.',
    example: `
import { collect } from 'sluice';

clicks.sinkTo('all', collect());
`,
  },
  methods: ['sinkTo'],
  build: buildSink,
  summary: ({ sink }) => sinkKindOf(sink).summary?.(sink) ?? sink.kind,
  outline: ['[(', ')]'],
  slots: ({ sink }) => sinkKindOf(sink).slots ?? [],
  schemas: ({ sink }) => sinkKindOf(sink).schemas?.(sink) ?? [],
  together: (sinks) =>
    sinkKinds.flatMap(({ kind }) => {
      const own = sinks.filter(({ sink }) => sink.kind === kind);
      const [first] = own;
      return first === undefined ? [] : (sinkKindOf(first.sink).problems?.(own) ?? []);
    }),
  state: {},
};

function buildSink({ builder, from, given }: StreamCall): undefined {
  const [id, sink] = given as readonly [string, GivenSink];
  const example = 'table(...), graph(...) or rejected()';
  const { definition, functions } = builder.given(id, 'sink', sink, example);
  const isSink = typeof definition === 'object';
  if (!isSink && typeof sink === 'object')
    builder.problems.push({ node: id, message: 'its sink is not a sink', fix: `write ${example}` });
  const node: SinkNode = {
    id,
    kind: 'sink',
    inputs: [from],
    outputs: [],
    sink: isSink ? definition : { kind: 'collect' },
  };
  builder.add(node, functions);
}

/** What an author gives `sinkTo`. */
interface GivenSink {
  readonly definition: SinkDefinitionData;
  readonly functions?: Readonly<Record<string, unknown>>;
}
