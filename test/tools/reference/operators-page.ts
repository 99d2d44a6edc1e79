/**
 * The page docs/reference/operators.md, made of what the kinds of nodes and of sinks say of
 * themselves. Pure.
 */
import type { OptionDocs, SinkDocs } from '../../../topology/operators/kind-docs.ts';
import { allKinds } from '../../../topology/operators/kinds.ts';
import { sinkKinds } from '../../../topology/operators/sink/sinks.ts';
import { made, markdownTable } from './markdown.ts';

const introduction = `${made('topology/operators/')}
# Operators

Semantics are Flink's. Ids name state in checkpoints and counts in \`sluice status\`: keep them when you
change the code. Time is event time unless a line says otherwise.
`;

const shop = `## The streams of the examples

\`\`\`ts
// shop.ts
import type { Stream } from 'sluice';

export interface Click {
  id: string;
  user: string;
  page: string;
  price: number;
  at: string;
}
export declare const clicks: Stream<Click>;
export declare const views: Stream<Click>;
\`\`\`
`;

export function operatorsPage(): string {
  const rows = allKinds.flatMap(({ docs: { sql = [] } }) => sql);
  return [
    introduction,
    markdownTable(['SQL', 'here'], rows),
    '',
    ...allKinds.flatMap(({ name, docs }) => {
      const { outputs, lateness, state, more } = docs;
      return [
        ...partOf(`## ${name}`, docs),
        `- Outputs: ${outputs}`,
        ...(lateness === undefined ? [] : [`- Late elements: ${lateness}`]),
        `- State: ${state}`,
        '',
        ...exampleOf(docs),
        ...(more === undefined ? [] : [more]),
        ...(name === 'sink' ? sinkKinds.flatMap(sinkPart) : []),
      ];
    }),
    shop,
  ].join('\n');
}

function sinkPart({ kind, docs }: { readonly kind: string; readonly docs: SinkDocs }): string[] {
  return [...partOf(`### ${kind}`, docs), ...exampleOf(docs)];
}

/** The heading, the call, what it does and its options. */
function partOf(heading: string, { call, summary, options = {} }: SinkDocs): string[] {
  const rows = Object.entries(options).map(([name, option]) => optionRow(name, option));
  return [
    heading,
    '',
    summary,
    '',
    '```text',
    call,
    '```',
    '',
    ...(rows.length === 0
      ? []
      : [markdownTable(['option', 'value', 'default', 'what it does'], rows), '']),
  ];
}

function optionRow(name: string, { value, byDefault = 'required', summary }: OptionDocs): string[] {
  return [`\`${name}\``, value, byDefault, `${summary}.`];
}

/** The streams that an example uses are imported behind what it imports itself. */
function exampleOf({ example }: SinkDocs): string[] {
  const used = ['clicks', 'views'].filter((name) =>
    new RegExp(`(?<!['/\\w])${name}(?!['\\w])`).test(example),
  );
  const [, packages = '', rest = ''] = /^\n((?:import [^\n]*\n)*)\n*([^]*)$/.exec(example) ?? [];
  const around = used.length === 0 ? '' : `import { ${used.join(', ')} } from './shop.ts';\n`;
  return [`\`\`\`ts\n${packages}${around}\n${rest}\`\`\``, ''];
}
