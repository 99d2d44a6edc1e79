/**
 * Every command the README shows in an ```sh fence is run by a test; the table below says by which.
 * A command that is not in the table fails. The table says where to look; that the named file
 * really runs the command is for its reader.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commandsOf, root } from './support.ts';

/** Command line as the README shows it, and the file that runs it. */
const freshClone = 'test/repo/npm-ci.test.ts';
const runBy: Readonly<Record<string, string>> = {
  'npm run check': '.ci/run',
  'npm ci && npm test': '.ci/run',
  'npm run example:flights': 'test/examples/flights.test.ts',
  'npm run example:flights -- --kill 3 --twice': 'test/examples/flights.test.ts',
  'npm run conformance -- test/conformance/cases/*.yaml': 'test/conformance/conformance.test.ts',
  'npm run conformance:http': 'test/conformance/http.test.ts',
  'npm run example:late': 'test/examples/flights.test.ts',
  'npm run bench:smoke': 'test/examples/flights.test.ts',
  'npm run bench:operators': 'test/bench/operators.test.ts',
  'npm run bench:ingress': 'test/bench/ingress.test.ts',
  'npm run bench:sinks': 'test/bench/sinks.test.ts',
  'npm run bench:aggregation': 'test/bench/aggregation.test.ts',
  'npm run example:flights -- --real': 'test/examples/flights-real.test.ts',
  'npm run drill': 'test/drill/drill.test.ts',
  'npm run drill:streams': 'test/drill/streams/streams.test.ts',
  'npm run drill:door': 'test/drill/door/door.test.ts',
  'npm run soak -- --minutes 30': 'test/drill/soak/soak.test.ts',
  'npm run faults:engine': 'test/faults/faults.test.ts',
  'npm run property:engine': 'test/property/engine.test.ts',
  'npm run fuzz': 'test/fuzz/http.test.ts',
  'npm run fuzz:http': 'test/fuzz/http-parity.test.ts',
};

/** The first two fences, and all of `sluice`, are run as they stand in a fresh clone. */
function runnerOf(command: string): string | undefined {
  return /^(?:npm ci|npm start|curl |npx --no sluice )/.test(command) && !command.includes('&&')
    ? freshClone
    : runBy[command];
}

describe('README.md', () => {
  const path = join(root, 'README.md');
  const commands = existsSync(path) ? commandsOf(readFileSync(path, 'utf8')) : [];

  it('shows commands', () => {
    expect(commands.length).toBeGreaterThan(0);
  });

  it('shows only commands that a test runs', () => {
    expect(commands.filter((command) => runnerOf(command) === undefined)).toEqual([]);
  });

  it('the files that run the commands exist', () => {
    expect(
      [freshClone, ...Object.values(runBy)].filter((file) => !existsSync(join(root, file))),
    ).toEqual([]);
  });
});

describe('the reader of the fences', () => {
  it('takes command lines and nothing else', () => {
    const markdown =
      'a\n```sh\n# note\n$ one --a \\\n  --b\n\ntwo  # why\n```\n```ts\nthree\n```\n  ```sh\n  four\n  ```\n';
    expect(commandsOf(markdown)).toEqual(['one --a --b', 'two', 'four']);
  });
});
