/**
 * The order of test files: those that take minutes first, so that none of them is left when the
 * others are done; then the compiled ones, then those from source, the largest first.
 */
import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import { root } from './unit-tests.mjs';

/**
 * Below test/: files and folders whose tests bound how long an answer may take, or load a server as
 * far as it goes. They run before the other compiled
 * ones, on as many workers as there are cores: with more, servers answer too late for them. A test looks that they are there.
 */
export const timed = [
  'bench',
  'conformance/http',
  'deploy/cli/burst',
  'deploy/load',
  'deploy/streams/kinesis/kinesis-rate',
  'drill/door',
  'drill/drill',
  'examples/flights',
  'fuzz',
  'ingest',
  // Plays those of ingest on Node 22.
  'repo/node-versions',
].map((path) => `test/${path}`);

/** Whether a test's source, as a path from the root, is one of these. */
export function isTimed(path) {
  const name = path.replace(/\.test\.ts$/, '');
  return timed.some((at) => name === at || name.startsWith(`${at}/`));
}

/**
 * Below test/, the longest first; of those that are not timed, the soak, which wants most of a core,
 * has two beside it that mostly wait. A test looks that they are there.
 */
export const longest = [
  'conformance/http',
  'drill/soak/soak',
  'deploy/docker/image',
  'repo/node-versions',
  'repo/package',
  'drill/streams/streams',
  'enrich/graph/neo4j-late',
  'deploy/host/topology-reload',
  'examples/flights',
  'deploy/stores/s3/s3-lake',
  'deploy/streams/kafka/replicas',
  'enrich/graph/neo4j',
  'drill/door/door',
  'deploy/flink/submit',
  'examples/flights-flink',
  'deploy/flink/parquet',
  'deploy/flink/kafka-source',
  'deploy/flink/graph',
  'examples/upgrade',
  'deploy/services/services',
  'drill/drill',
].map((path) => `test/${path}.test`);

const placeOf = ({ moduleId }) => {
  const path = relative(root, moduleId)
    .replace(/^dist\//, '')
    .replace(/\.[jt]s$/, '');
  const place = longest.indexOf(path);
  return place === -1 ? longest.length : place;
};

export class LongestFirst extends BaseSequencer {
  async sort(files) {
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
