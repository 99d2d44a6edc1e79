import { defineConfig } from 'vitest/config';

// Tests run compiled, from dist/: what is tested is what ships, and worker threads find their files.
export default defineConfig({
  test: {
    include: ['dist/test/**/*.test.js'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
