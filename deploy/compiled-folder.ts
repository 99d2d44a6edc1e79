import { fileURLToPath } from 'node:url';

/** Where the compiled modules are, one a file, and their types: `dist/`, also for the bundle. */
export const compiledFolder = fileURLToPath(new URL('../../dist/', import.meta.url));
