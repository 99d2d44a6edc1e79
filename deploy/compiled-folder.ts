/**
 * Where the compiled modules are, one a file, and their types: `dist/`, also for the bundle.
 */
import { fileURLToPath } from 'node:url';

export const compiledFolder = fileURLToPath(new URL('../../dist/', import.meta.url));
