/**
 * The order of test files: those that take minutes first, so that none of them is left when the
 * others are done; then the compiled ones, then those from source, the largest first.
 */
import { relative } from 'node:path';
import { BaseSequencer } from 'vitest/node';
import { root } from './unit-tests.mjs';

/**
 * Below test/. The soak is the longest and wants most of a core; beside it come two that mostly
 * wait, then the others, the longest first. A test looks that they are there.
 */
export const longest = [
  'drill/soak/soak',
  'deploy/docker/image',
  'repo/package',
  'enrich/graph/neo4j-replaced',
  'conformance/http',
  'drill/streams/streams',
  'deploy/host/topology-reload',
  'examples/flights',
  'deploy/stores/s3/s3-lake',
  'deploy/streams/kafka/replicas',
  'enrich/graph/neo4j-late',
  'enrich/graph/neo4j',
  'drill/door/door',
  'deploy/flink/submit',
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
