/**
 * `sluice config schema`: the JSON Schema of the configuration, for editors.
 */
import { editorSchema } from '../../../../schemas/config/editor-schema.ts';
import { configTable } from '../../../../schemas/config/table.ts';
import type { Output } from '../../output.ts';

export function configSchema(output: Output): number {
  const schema = editorSchema(configTable);
  output.line(output.json ? JSON.stringify(schema) : JSON.stringify(schema, null, 2));
  return 0;
}
