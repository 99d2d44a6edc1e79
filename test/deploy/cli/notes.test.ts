/**
 * Notes beside a log in JSON: one object a line, whatever is in them; so are the warnings of Node
 * itself.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createNotes } from '../../../deploy/cli/notes.ts';
import { manualClock } from '../../../schemas/kernel/clock.ts';

const clock = manualClock(Date.parse('2026-01-01T00:00:00Z'));
const time = '2026-01-01T00:00:00.000Z';
let before: ReturnType<typeof process.rawListeners>;
beforeEach(() => {
  before = process.rawListeners('warning');
});
afterEach(() => {
  process.removeAllListeners('warning');
  for (const listener of before) process.on('warning', listener as () => void);
});

function notes(json: boolean) {
  const lines: string[] = [];
  const note = createNotes(
    { json, line: () => undefined, data: () => undefined, note: (text) => void lines.push(text) },
    json,
    clock,
  );
  return { note, lines };
}

it('are objects of one line in the form of the log', async () => {
  const { note, lines } = notes(true);
  note('topology a failed:\nline 3');
  process.emitWarning('two\nlines', 'SomeWarning');
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines.filter((line) => line.includes('\n'))).toEqual([]);
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { level: 30, time, msg: 'topology a failed:\nline 3' },
    { level: 40, time, msg: 'SomeWarning: two\nlines' },
  ]);
});

it('are as they are beside a log for a person', () => {
  const { note, lines } = notes(false);
  note('stopped');
  expect([lines, process.rawListeners('warning')]).toEqual([['stopped'], before]);
});
