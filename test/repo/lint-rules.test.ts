/** What of the lint configuration is made of tables is as the tables are. */
import { expect, it } from 'vitest';
import { isMade, madeOverrides, readLintConfig } from '../tools/lint-rules.ts';

it('the rules of imports are those of test/tools/layers.ts (npm run lint:update writes them)', () => {
  const { overrides } = readLintConfig();
  expect(overrides.filter(isMade)).toEqual(madeOverrides());
  // Of two overrides the later one counts, so those by hand come last.
  expect(overrides.findLastIndex(isMade)).toBe(madeOverrides().length - 1);
});
