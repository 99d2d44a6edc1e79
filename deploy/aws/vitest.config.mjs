import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/*.test.ts'],
    // One synthesis takes seconds, and several of them run in a file.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    // To load the CDK costs more than most files do with it.
    isolate: false,
  },
});
