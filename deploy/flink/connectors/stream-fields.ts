/** What the sources of both routes have: where they begin, what is gone, and the data of claims. */
import type { ConnectorFields } from './connector.ts';

/** `split`: what the vendor calls it. */
export function streamFields(split: 'partition' | 'shard'): ConnectorFields {
  return {
    from: {
      type: 'start',
      meaning: `where ${split}s begin that no savepoint knows; default "earliest"`,
    },
    whenTrimmed: {
      type: 'text',
      choices: ['fail', 'oldest'],
      meaning: `what to do about a ${split} whose next records are no longer kept`,
    },
    claims: {
      type: 'object',
      meaning:
        'where the data of claims is: {"bucket", "prefix", "region", "endpoint"}, or {"folder"}',
    },
  };
}
