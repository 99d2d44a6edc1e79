/**
 * From the text of `stage.yaml` to a stage: values, defaults, and what is wrong with its line. Pure
 * except `loadStage`, which reads the file.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Fault } from './sluice.ts';
import {
  ConfigDocument,
  configCheck,
  effectiveValues,
  messageOf,
  pathOf,
  problemLine,
  SluiceError,
} from './sluice.ts';
import type { Stage } from './stage-table.ts';
import { stageTable } from './stage-table.ts';

const checkValues = configCheck(stageTable);

/** Throws `SluiceError` `config-invalid` with one line a problem. */
export function parseStage(text: string, file: string): Stage {
  const document = new ConfigDocument(text, stageTable, { file, env: {} });
  const faults: readonly Fault[] =
    document.faults.length > 0 ? document.faults : checkValues(document);
  if (faults.length > 0) throw refused(file, faults);
  return effectiveValues(stageTable, document, dirname(resolve(file))).values;
}

/** Throws `SluiceError` `config-missing`, `config-invalid`. */
export function loadStage(file: string): Stage {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SluiceError(
      'config-missing',
      `the stage ${file} cannot be read: ${messageOf(cause)}`,
      {
        cause,
        fix: 'name another with `--context stage=FILE`',
      },
    );
  }
  return parseStage(text, file);
}

function refused(file: string, faults: readonly Fault[]): SluiceError {
  const lines = faults.map(({ segments, place, message, expected }) =>
    problemLine({ file, ...place, path: pathOf(segments), message, expected }),
  );
  return new SluiceError('config-invalid', lines.join('\n'), { fix: `fix ${file}` });
}
