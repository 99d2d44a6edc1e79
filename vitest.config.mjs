import { defineConfig } from 'vitest/config';

const soak = 'dist/test/drill/soak/soak.test.js';

// Tests run compiled, from dist/: what is tested is what ships, and worker threads find their
// files. The soak runs last and alone: it wants both cores.
export default defineConfig({
  test: {
    // As deploy/host/http-server.ts: the binary of the HTTP server reads it when it is loaded.
    env: { UWS_HTTP_MAX_HEADERS_SIZE: '16384' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['dist/test/**/*.test.js'],
          exclude: [soak],
          sequence: { groupOrder: 0 },
        },
      },
      { extends: true, test: { name: 'soak', include: [soak], sequence: { groupOrder: 1 } } },
    ],
  },
});
