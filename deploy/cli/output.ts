/**
 * What a command says: for a person by default, as JSON for a program. Errors name what was
 * expected and what to do.
 *
 * Invariant: every text that comes from elsewhere (events, rows, names, answers) passes `printable`
 * on its way to the terminal, here.
 */
import { maskAddresses } from '../../schemas/config-secrets.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { printable } from '../../schemas/kernel/printable.ts';

export interface Output {
  readonly json: boolean;
  /** A line of the result. */
  readonly line: (text: string) => void;
  /**
   * A file for another program, such as CSV: as it is, except on a terminal, which is given it
   * printable.
   */
  readonly data: (text: string) => void;
  /** A line about the progress, beside the result. */
  readonly note: (text: string) => void;
}

export function terminalOutput(json: boolean): Output {
  return {
    json,
    line: (text) => void process.stdout.write(`${printable(text)}\n`),
    data: (text) => void process.stdout.write(process.stdout.isTTY ? printable(text) : text),
    note: (text) => void process.stderr.write(`${printable(maskAddresses(text))}\n`),
  };
}

/** Prints a failure and gives the exit code: 1. A defect comes with its stack. */
export function reportFailure(thrown: unknown, output: Output): number {
  const known = thrown instanceof SluiceError;
  const error = {
    code: known ? thrown.code : 'defect',
    message: maskAddresses(messageOf(thrown)),
    ...(known && thrown.fix !== undefined ? { fix: maskAddresses(thrown.fix) } : {}),
    ...(known || !(thrown instanceof Error) ? {} : { stack: maskAddresses(thrown.stack ?? '') }),
  };
  if (output.json) output.line(JSON.stringify({ error }));
  else {
    output.note(`sluice: ${error.message}`);
    if (error.fix !== undefined) output.note(`  ${error.fix}`);
    if (error.stack !== undefined) output.note(`This is a defect in sluice.\n${error.stack}`);
  }
  return 1;
}
