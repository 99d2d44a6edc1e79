/**
 * `sluice load merge`: reads reports of `sluice --json load`, and gives one in the same forms.
 */
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { findReports } from '../../../load/find-reports.ts';
import { mergeReports } from '../../../load/merge.ts';
import type { Output } from '../../output.ts';
import { openInput } from '../send/send-input.ts';
import { giveReport } from './load.ts';

export interface LoadMerge {
  /** Files. */
  readonly reports: readonly string[];
  readonly partial: boolean;
  readonly html: string | undefined;
}

/** A report of an hour is about 4 MB. */
const inputMaxBytes = 256 * 1_048_576;

/**
 * 0 when every event that was intended was accepted, else 1. Throws `SluiceError`
 * `report-invalid`, `report-missing`, `reports-mixed`, and those of `openInput`.
 */
export async function loadMergeCommand(
  { reports, partial, html }: LoadMerge,
  output: Output,
): Promise<number> {
  const found = [];
  for (const file of reports) found.push(...findReports(await textOf(file), nameOf(file)));
  return giveReport(mergeReports(found, partial), html, output);
}

const nameOf = (file: string): string => (file === '-' ? 'standard input' : file);

async function textOf(file: string): Promise<string> {
  const input = openInput(file);
  try {
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of input.chunks) {
      bytes += chunk.length;
      if (bytes > inputMaxBytes)
        throw new SluiceError('report-invalid', `${nameOf(file)} is too large`, {
          fix: `expected at most ${inputMaxBytes / 1_048_576} MiB`,
        });
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  } finally {
    input.close();
  }
}
