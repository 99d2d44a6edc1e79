/** A topology with look-ups by a connector: in line with the source, and behind a keyed operator. */
import type { AsyncLookupOptions, Key, Topology } from '../../../topology/index.ts';
import { collect, connector, count, tumbling } from '../../../topology/index.ts';
import type { Config } from '../case.ts';
import { timed, topologyOf } from '../subjects/common.ts';

export interface AskedRow {
  readonly key: Key | null;
  readonly at: number;
}

/** Functions do not return for it, or throw. */
export const spinning = 'spinning';
export const throwing = 'throwing';

/** `config`: options of the look-ups; `cached`: how many answers are kept. */
export function askedTopology({ cached, ...config }: Config): Topology {
  const more = cached === undefined ? {} : { cache: { maxEntries: cached as number, ttl: '1h' } };
  const options = { ...config, ...more } as AsyncLookupOptions;
  return topologyOf((t) => {
    const asked = timed<AskedRow>(t, 'in').lookup(
      'price',
      connector<unknown>('prices'),
      { by: ({ data }) => data.key as Key, ...options },
      ({ data: { key } }, found) => {
        if (key === spinning) for (;;);
        if (key === throwing) throw new Error('no price');
        return { key, found: found ?? null };
      },
    );
    asked.sinkTo('out', collect());
    const keyed = asked.keyBy(({ key }) => String(key));
    keyed
      .window('counts', tumbling(10))
      .aggregate({ n: count() })
      .out.sinkTo('out-counts', collect());
    asked
      .deduplicate('once', { by: ({ key }) => String(key), within: 1_000 })
      .lookup(
        'again',
        connector<unknown>('prices'),
        { by: ({ key }) => key as Key, ...options },
        ({ key }, found) => ({ key, again: found ?? null }),
      )
      .sinkTo('out-again', collect());
  });
}
