/**
 * What a start is told of a Neo4j that is not there: soon, though what may pass is tried again.
 */
import { expect, it } from 'vitest';
import { neo4jVendor } from '../../../enrich/graph/neo4j/neo4j-vendor.ts';
import { present } from '../../../schemas/kernel/assert.ts';
import { systemClock } from '../../../schemas/kernel/clock.ts';
import { systemRandom } from '../../../schemas/kernel/random.ts';

// As long as writes are tried again, it would be 25 seconds at the least.
it('is told within seconds', { timeout: 20_000 }, async () => {
  const neo4j = { url: 'bolt://127.0.0.1:1', user: 'neo4j', password: { text: 'a-secret-one' } };
  const [check] = neo4jVendor.checks({ neo4j } as Parameters<typeof neo4jVendor.checks>[0], {
    clock: systemClock,
    random: systemRandom,
  });
  const failure: unknown = await present(check, 'a check')
    .look()
    .catch((thrown: unknown) => thrown);
  expect(failure).toMatchObject({ code: 'graph-unreachable' });
  expect(String(failure)).not.toContain('a-secret-one');
});
