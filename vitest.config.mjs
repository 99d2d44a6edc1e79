import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { root, splitTests } from './test/tools/unit-tests.mjs';

const soak = 'dist/test/drill/soak/soak.test.js';
const compiled = (path) => `dist/${path.replace(/\.ts$/, '.js')}`;

// A test that can run from TypeScript source does, in the project `unit`. The others run compiled,
// from dist, where worker threads and child processes find their files; so does any test that is
// asked for by its path in dist. The soak runs last and alone: it wants both cores.
const { fromSource } = splitTests();
const asksForDist = process.argv.some((arg) => arg.startsWith('dist/'));

export default defineConfig({
  test: {
    // As deploy/host/http-server.ts: the binary of the HTTP server reads it when it is loaded.
    env: { UWS_HTTP_MAX_HEADERS_SIZE: '16384' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      ...(asksForDist
        ? []
        : [
            {
              extends: true,
              resolve: {
                alias: [
                  { find: /^sluice$/, replacement: join(root, 'topology/index.ts') },
                  { find: /^sluice\/enrich$/, replacement: join(root, 'enrich/index.ts') },
                  { find: /^sluice\/testing$/, replacement: join(root, 'topology/testing.ts') },
                ],
              },
              test: { name: 'unit', include: fromSource, sequence: { groupOrder: 0 } },
            },
          ]),
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['dist/test/**/*.test.js'],
          exclude: [soak, ...(asksForDist ? [] : fromSource.map(compiled))],
          sequence: { groupOrder: 1 },
        },
      },
      { extends: true, test: { name: 'soak', include: [soak], sequence: { groupOrder: 2 } } },
    ],
  },
});
