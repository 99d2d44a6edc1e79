/** What of the lint configuration is made of tables is as the tables are. */
import { expect, it } from 'vitest';
import { functionsOver } from '../tools/house/functions.ts';
import { withSources } from '../tools/house/sources.ts';
import { functionMaxLines, isMade, madeOverrides, readLintConfig } from '../tools/lint-rules.ts';
import { root } from './files.ts';

it('the rules are those of test/tools/layers.ts and lint-rules.ts (npm run lint:update)', () => {
  const { overrides } = readLintConfig();
  expect(overrides.filter(isMade)).toEqual(madeOverrides());
  // Of two overrides the later one counts, so those by hand come last.
  expect(overrides.findLastIndex(isMade)).toBe(madeOverrides().length - 1);
});

it('no function is too long', () => {
  const found = withSources(root, (sources) =>
    functionsOver(functionMaxLines, sources).map(({ path, name }) => `${path} ${name}`),
  );
  expect(found).toEqual([]);
}, 120_000);
