/**
 * The page docs/reference/config.md, made of the table of the configuration. Pure.
 */
import type { SettingSchema } from '../../../schemas/config/setting.ts';
import { expectedOf } from '../../../schemas/config/setting.ts';
import { configTable } from '../../../schemas/config/table.ts';
import { made, markdownTable } from './markdown.ts';

const introduction = `${made('schemas/config/')}
# Configuration

\`sluice.yaml\` is YAML 1.2. Only \`streams\` is required; every other setting has a default or may be left out.

- \`\${NAME}\` and \`\${NAME:-default}\` in a text are taken from the environment. A variable that is empty leaves the setting out.
- Paths of files are relative to the configuration.
- An unknown key, a wrong type or an impossible combination is refused with file, line and column. Aliases (\`*name\`) and duplicate keys are refused, too.
- Secrets belong in the environment or in files. Nothing prints them.

\`sluice config check --explain\` prints every effective value and where it came from.
\`sluice config schema > sluice.schema.json\` writes a JSON Schema for editors; name it in the first line of the configuration:
\`# yaml-language-server: $schema=sluice.schema.json\`.
`;

export function configPage(): string {
  const sections = Object.entries(configTable.properties as Record<string, SettingSchema>).map(
    ([name, schema]) =>
      [
        `## ${name}`,
        schema.description,
        markdownTable(
          ['setting', 'value', 'default', 'what it is'],
          [...rowsOf(schema, name)].map(rowOf),
        ),
      ].join('\n\n'),
  );
  return `${introduction}\n${sections.join('\n\n')}\n`;
}

type Row = readonly [path: string, schema: SettingSchema, isRequired: boolean];

/** Groups are told of by their members, with the key as a path: `event.id`. */
function* rowsOf(schema: SettingSchema, path: string, isRequired = false): Iterable<Row> {
  const { properties, items, additionalProperties: one, required = [] } = schema;
  if (properties !== undefined) {
    for (const [key, member] of Object.entries(properties))
      yield* rowsOf(member, `${path}.${key}`, required.includes(key));
    return;
  }
  const inner = items ?? (one === false ? undefined : one);
  if (inner === undefined) yield [path, schema, isRequired];
  else if (items !== undefined && inner.properties === undefined) yield [path, schema, isRequired];
  else yield* rowsOf(inner, `${path}${items === undefined ? '.<name>' : '[]'}`);
}

function rowOf([path, schema, isRequired]: Row): readonly string[] {
  const { default: byDefault, description, examples, items } = schema;
  const [example = items?.examples?.[0]] = examples ?? [];
  const shown = items === undefined ? schema : items;
  const { unit } = schema;
  return [
    `\`${path}\``,
    `${items === undefined ? '' : 'list of: '}${expectedOf(shown)}${unit === undefined ? '' : `, in ${unit}`}`,
    isRequired ? 'required' : defaultOf(byDefault),
    `${description}${example === undefined ? '' : ` Example: \`${typeof example === 'string' ? example : JSON.stringify(example)}\`.`}`,
  ];
}

function defaultOf(value: unknown): string {
  if (value === undefined) return '-';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
