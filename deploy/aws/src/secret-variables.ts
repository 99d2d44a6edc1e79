/**
 * Which variables of a configuration hold secrets: those that its secret settings alone refer to.
 * The pods get them from Secrets; a deployment neither needs nor shows them.
 */
import { readFileSync } from 'node:fs';
import { ConfigDocument, configTable, messageOf, SluiceError } from './sluice.ts';

/** Throws `SluiceError` `config-missing`. Of a file that is no YAML: none. */
export function secretVariablesIn(file: string): ReadonlySet<string> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'config-missing',
      `the configuration ${file} cannot be read: ${messageOf(cause)}`,
      { cause, fix: 'name another in stage.yaml' },
    );
  }
  return new ConfigDocument(text, configTable, { file, env: {} }).secretVariables;
}
