import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { isTimed, LongestFirst } from './test/tools/longest-first.mjs';
import { root, splitTests } from './test/tools/unit-tests.mjs';

const compiled = (path) => `dist/${path.replace(/\.ts$/, '.js')}`;

// A test that can run from TypeScript source does, in the project `unit`. The others run compiled,
// from dist, where worker threads and child processes find their files; so does any test that is
// asked for by its path in dist.
const { fromSource, fromDist } = splitTests();
const timed = fromDist.filter(isTimed).map(compiled);
/** Of the tests that are not timed: most of them wait, for a server to start or a row to land. */
const waitingWorkers = 3;
/** What a test imports as `sluice` is of the modules that it runs with, not of the bundle. */
const sluiceIn = (folder, ending) => [
  { find: /^sluice$/, replacement: join(folder, `topology/index.${ending}`) },
  { find: /^sluice\/enrich$/, replacement: join(folder, `enrich/index.${ending}`) },
  { find: /^sluice\/testing$/, replacement: join(folder, `topology/testing.${ending}`) },
];
const fromSources = { alias: sluiceIn(root, 'ts') };
const fromModules = { alias: sluiceIn(join(root, 'dist'), 'js') };
const asksForDist = process.argv.some((arg) => arg.startsWith('dist/'));

export default defineConfig({
  test: {
    // As deploy/host/http-server.ts: the binary of the HTTP server reads it when it is loaded.
    env: { UWS_HTTP_MAX_HEADERS_SIZE: '16384' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    // One a core of the smallest machine that CI runs on.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      ...(asksForDist
        ? []
        : [
            {
              extends: true,
              resolve: fromSources,
              // Files share a process: to start one and load the modules costs more than most of
              // them do. What a file changes outside its modules it puts back.
              test: { name: 'unit', include: fromSource, isolate: false },
            },
            { extends: true, resolve: fromModules, test: { name: 'timed', include: timed } },
          ]),
      {
        extends: true,
        resolve: fromModules,
        test: {
          name: 'tests',
          include: ['dist/test/**/*.test.js'],
          exclude: asksForDist ? [] : [...fromSource.map(compiled), ...timed],
          ...(asksForDist ? {} : { maxWorkers: waitingWorkers, sequence: { groupOrder: 1 } }),
        },
      },
    ],
  },
});
