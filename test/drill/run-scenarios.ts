/**
 * Runs scenarios of a drill one after the other and prints what each came to.
 *
 *   --only NAME[,NAME]   some of the scenarios
 *   --short              each in about a tenth of its time, and only the drill's short list of
 *                        scenarios, where it has one
 *   --json               one JSON object a scenario
 */
import { parseArgs } from 'node:util';

export type Checks = readonly (readonly [string, boolean])[];

export interface Outcome<T> {
  readonly tally: T;
  readonly checks: Checks;
}

export interface Scenario<T> {
  readonly name: string;
  readonly what: string;
  /** `scale` 1 is the drill; the short form takes less. */
  run(scale: number): Promise<Outcome<T>>;
}

/**
 * `lineOf` says in one line what a tally says; `shortNames` are the scenarios of the short form, by
 * default all. Sets the exit code: 0 when everything holds, 1 when not, 2 for a name that is none.
 */
export async function runScenarios<T extends object>(
  scenarios: readonly Scenario<T>[],
  lineOf: (tally: T) => string,
  shortNames: readonly string[] = scenarios.map(({ name }) => name),
): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const all = scenarios.map(({ name }) => name);
  const names = values.only?.split(',') ?? (values.short ? shortNames : all);
  const unknown = names.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length > 0) {
    console.error(`there is no scenario ${unknown.join(', ')}; there are ${all.join(', ')}`);
    process.exitCode = 2;
    return;
  }
  let passed = 0;
  let failed = 0;
  for (const scenario of scenarios.filter(({ name }) => names.includes(name))) {
    const { name, what } = scenario;
    if (!values.json) console.log(`${name}: ${what}`);
    try {
      const { tally, checks } = await scenario.run(values.short ? 0.1 : 1);
      for (const [, ok] of checks) {
        if (ok) passed++;
        else failed++;
      }
      if (values.json)
        console.log(
          JSON.stringify({ name, ...tally, checks: checks.map(([check, ok]) => ({ check, ok })) }),
        );
      else {
        console.log(`  ${lineOf(tally)}`);
        for (const [check, ok] of checks) console.log(`  ${ok ? 'ok  ' : 'FAIL'}  ${check}`);
      }
    } catch (thrown) {
      failed++;
      console.log(
        values.json
          ? JSON.stringify({ name, failed: String(thrown) })
          : `  FAIL  ${String(thrown)}`,
      );
    }
  }
  if (!values.json) console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
