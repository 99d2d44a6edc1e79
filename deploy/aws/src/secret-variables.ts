/**
 * Which variables of a configuration hold secrets: those that its secret settings alone refer to.
 * The pods get them from Secrets; a deployment neither needs nor shows them.
 */
import { ConfigDocument, configTable, readConfigText } from './sluice.ts';

/** Throws `SluiceError` `config-missing`. Of a file that is no YAML: none. */
export function secretVariablesIn(file: string): ReadonlySet<string> {
  const text = readConfigText(file, 'name another in stage.yaml');
  return new ConfigDocument(text, configTable, { file, env: {} }).secretVariables;
}
