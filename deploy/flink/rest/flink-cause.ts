/**
 * What a failure of Flink is about: of its stack traces, the innermost cause. Pure.
 */
const shownMaxChars = 600;

/**
 * One line: the message of the last `Caused by:`, with the class that it is of where it has no
 * message; the first line of a text without causes.
 */
export function flinkCause(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const causes = lines.filter((line) => line.startsWith('Caused by: '));
  const last = causes.at(-1)?.slice('Caused by: '.length);
  const first = lines.find((line) => line !== '' && !isFrame(line) && line !== generic);
  const told = withoutClass(last ?? first ?? '');
  return told.length > shownMaxChars ? `${told.slice(0, shownMaxChars)}...` : told;
}

/** What stands before the trace in answers of the REST API. */
const generic = 'Internal server error.';

const isFrame = (line: string): boolean =>
  line.startsWith('at ') ||
  line.startsWith('...') ||
  line.startsWith('<Exception on server side') ||
  line.startsWith('End of exception on server side');

/**
 * `java.lang.IllegalStateException: it is over` is `it is over`; of what is no sentence, such as a
 * path, the class says what it is about.
 */
function withoutClass(line: string): string {
  const [, name, message] = /^(?:[\w$]+\.)+([\w$]+): (.+)$/.exec(line) ?? [];
  if (name === undefined || message === undefined) return line;
  const told = withoutClass(message);
  return told.includes(' ') ? told : `${name}: ${told}`;
}
