/**
 * What lies where under the local directory (`.sluice/` by default).
 */
import { join } from 'node:path';

/** Tables: `lake/<table>/date=.../hour=.../team=.../app=.../*.parquet`. */
export const lakeDir = (dir: string): string => join(dir, 'lake');
/** The embedded streams' segments. */
export const logDir = (dir: string): string => join(dir, 'log');
/** Compiled topologies. */
export const buildDir = (dir: string): string => join(dir, 'build');
