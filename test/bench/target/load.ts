/** What the loads of `npm run bench:target` read, and the row that they write. */
import type { SluiceEvent, StreamDefinition } from 'sluice';
import { schemaOf, stream } from 'sluice';

export interface Sale {
  readonly k: string;
  readonly n: number;
  readonly at: number;
  readonly price: number;
  readonly page: string;
}

export const sales = stream('bench/sales') as StreamDefinition<SluiceEvent<Sale>>;

export const anything = schemaOf<unknown>({
  $id: 'anything',
  type: 'object',
  properties: { id: {} },
});
