/**
 * `sluice schema types`: writes `<name>.gen.ts` beside `<name>.schema.json`, with the TypeScript
 * type of a JSON Schema and the schema as a value.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { compile } from 'json-schema-to-typescript';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import type { JsonSchema } from '../../../../schemas/registry.ts';
import { compileSchema } from '../../../../schemas/registry.ts';
import type { Output } from '../../output.ts';

const suffix = '.schema.json';

/**
 * Returns the exit code: 1 when `check` finds a stale file. Throws `SluiceError` `schema-invalid`.
 */
export async function schemaTypes(
  files: readonly string[],
  check: boolean,
  output: Output,
): Promise<number> {
  const stale: string[] = [];
  for (const file of files) {
    if (!file.endsWith(suffix))
      throw new SluiceError('schema-invalid', `${file}: the name must end in ${suffix}`);
    const target = `${file.slice(0, -suffix.length)}.gen.ts`;
    const text = await typesOf(file);
    const fresh = existsSync(target) && readFileSync(target, 'utf8') === text;
    if (!fresh && check) stale.push(target);
    if (!fresh && !check) writeFileSync(target, text);
    if (!output.json && !check) output.line(`${target} ${fresh ? 'is up to date' : 'written'}`);
  }
  if (output.json) output.line(JSON.stringify({ files: files.length, stale }));
  else
    for (const file of stale)
      output.line(`${file} is stale: run \`sluice schema types\` on its schema`);
  return stale.length > 0 ? 1 : 0;
}

/** The text of `<name>.gen.ts`. Throws `SluiceError` `schema-invalid`. */
export async function typesOf(file: string): Promise<string> {
  let document: JsonSchema;
  try {
    document = JSON.parse(readFileSync(file, 'utf8')) as JsonSchema;
  } catch (cause) {
    throw new SluiceError('schema-invalid', `${file}: ${messageOf(cause)}`, { cause });
  }
  const { title } = document;
  if (typeof title !== 'string' || !/^[A-Z][A-Za-z0-9]*$/.test(title)) {
    throw new SluiceError(
      'schema-invalid',
      `${file}: its title must be a type name such as PromoClick, not ${JSON.stringify(title)}`,
    );
  }
  compileSchema(document);
  const types = await compile(structuredClone(document) as Parameters<typeof compile>[0], title, {
    bannerComment: '',
    additionalProperties: false,
    format: false,
    strictIndexSignatures: true,
  });
  const value = `${title.charAt(0).toLowerCase()}${title.slice(1)}`;
  return [
    `// Made by \`sluice schema types\` from ${file.slice(file.lastIndexOf('/') + 1)}. Do not edit.`,
    "import { type Schema, schemaOf } from 'sluice';",
    '',
    types.trim(),
    '',
    `export const ${value}: Schema<${title}> = schemaOf(${literalOf(document)});`,
    '',
  ].join('\n');
}

/**
 * The document as source text. A member that is called `__proto__` would otherwise be the prototype
 * of the object.
 */
function literalOf(document: JsonSchema): string {
  return JSON.stringify(document, null, 2).replaceAll(/^( *)"__proto__": /gm, '$1["__proto__"]: ');
}
