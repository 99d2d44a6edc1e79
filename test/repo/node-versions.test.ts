/**
 * The product's tests pass on the versions of Node that production runs on, in a Debian 13. This is
 * the short form of `npm run test:node -- 22` and `-- 24`: what the packages with binaries do: locks,
 * the HTTP server, DuckDB, the embedded graph.
 */
import { describe, expect, it } from 'vitest';
import { debianMissing } from '../servers/debian-root.ts';
import { runScript } from './support.ts';

const short = [
  'schemas/kernel',
  'ingest/ingress',
  'enrich/lake/query',
  'enrich/graph/ladybug-database',
];
// Where Node 24 or its HTTP server do otherwise than those of Node 20.
const otherwise = [
  'ingest/http/kept-connection',
  'enrich/lake/read-sql',
  'deploy/host/question-text',
];

describe.skipIf(debianMissing() !== undefined)('the tests', { timeout: 400_000 }, () => {
  // On Node 24 the HTTP cases run too (conformance/http): what they do not reach is enough here.
  it.each([
    ['22', short],
    ['24', [...short.filter((path) => !path.startsWith('ingest')), ...otherwise]],
  ] as const)('pass on Node %s', async (major, paths) => {
    const said = await runScript('tools/node-suite.js', major, ...paths);
    expect(said).toMatch(/Tests .*\d{2,} passed[^]*\nexit 0$/);
  });

  it('do not run on a version that is not meant', async () => {
    expect(await runScript('tools/node-suite.js', '18')).toBe(
      "invalid version '18': expected 22 or 24, then paths of tests\nexit 2",
    );
  });
});
