import { defineConfig } from 'vitest/config';

// Tests run compiled, from dist/: what is tested is what ships, and worker threads find their files.
export default defineConfig({
  test: {
    include: ['dist/test/**/*.test.js'],
    // As deploy/host/http-server.ts: the binary of the HTTP server reads it when it is loaded.
    env: { UWS_HTTP_MAX_HEADERS_SIZE: '16384' },
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: 'forks',
    maxWorkers: 2,
  },
});
