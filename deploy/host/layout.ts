/**
 * What lies where under the local directory (`.sluice/` by default).
 */
import { join } from 'node:path';

/** What a folder of Sluice can hold; with anything else in it, it is somebody's own. */
const names: ReadonlySet<string> = new Set([
  ...['lock', 'instance.json', 'instance.json.new', 'control.sock', 'control.path'],
  ...[
    'log',
    'lake',
    'checkpoints',
    'savepoints',
    'build',
    'send',
    'graph',
    'graph-copies',
    'graph-staging',
    'spool',
    'claims',
    'state',
  ],
]);
/** What the embedded graph keeps beside its file. */
const ofGraph = /^graph\.\w+/;

/** Whether an entry of an instance's folder is one that Sluice makes. */
export const isOurs = (entry: string): boolean => names.has(entry) || ofGraph.test(entry);

/**
 * Who runs here. Beside it is `lock`, which the kernel locks for one process
 * (schemas/kernel/folder-lock.ts).
 */
export const instanceFile = (dir: string): string => join(dir, 'instance.json');
/**
 * The control socket, in the instance's folder or in the runtime folder that `controlPathFile`
 * names.
 */
export const controlSocket = (dir: string): string => join(dir, 'control.sock');
export const controlPathFile = (dir: string): string => join(dir, 'control.path');
/** Tables: `lake/<table>/date=.../hour=.../team=.../app=.../*.parquet`. */
export const lakeDir = (dir: string): string => join(dir, 'lake');
/** The embedded streams' segments. */
export const logDir = (dir: string): string => join(dir, 'log');
/** Checkpoints of topologies: `checkpoints/<topology>/...`. */
export const checkpointsDir = (dir: string): string => join(dir, 'checkpoints');
/**
 * What was kept of topologies by name, until somebody deletes it: `savepoints/<topology>/<name>/`.
 */
export const savepointsDir = (dir: string): string => join(dir, 'savepoints');
/** Events that wait for their stream on this machine's disk. */
export const spoolDir = (dir: string): string => join(dir, 'spool');
/** Data that is beyond both routes: `claims/<team>/<app>/<day>/<uuid>`. */
export const claimsDir = (dir: string): string => join(dir, 'claims');
/** State at rest, with `local.state.backend: disk`. */
export const stateDir = (dir: string): string => join(dir, 'state');
/** Compiled topologies. */
export const buildDir = (dir: string): string => join(dir, 'build');
/** The embedded graph: this file, and those that the database keeps beside it, `graph.*`. */
export const graphFile = (dir: string): string => join(dir, 'graph');
/** Copies of the graph that questions read while an instance runs. */
export const graphCopiesDir = (dir: string): string => join(dir, 'graph-copies');
/**
 * Writes of a graph sink that wait for their checkpoint: a folder of blob keys. An id may have
 * slashes, and other characters that no key has.
 */
export const graphStagingDir = (dir: string): string => join(dir, 'graph-staging');
export const graphStagingFolder = (topology: string, sink: string): string =>
  `graph-staging/${topology}/${sink.replace(/[^A-Za-z0-9_-]/g, (other) => `=${other.charCodeAt(0).toString(16)}`)}`;
