/**
 * Notes of a command beside a log: where the log's lines are JSON, so are they, and what Node
 * itself warns of. A program that reads standard error finds one object a line, whatever is in it.
 */
import type { Clock } from '../../schemas/kernel/clock.ts';
import type { Output } from './output.ts';

type Tell = (text: string) => void;

/** pino's numbers. */
const levels = { info: 30, warn: 40 } as const;

/**
 * Notes as lines of a log in JSON, or as they are. Node's own warnings are told as well from here
 * on.
 */
export function createNotes(output: Output, json: boolean, clock: Clock): Tell {
  if (!json) return output.note;
  const tell = (level: keyof typeof levels, msg: string): void =>
    output.note(
      JSON.stringify({ level: levels[level], time: new Date(clock.now()).toISOString(), msg }),
    );
  // Its own listener writes text.
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => tell('warn', `${name}: ${message}`));
  return (text) => tell('info', text);
}
