/**
 * Parts of a batch, as batches, for who runs them one after the other.
 */
import { Batch, rowKinds } from '../operators/batch.ts';

/** The rows of a batch as stretches of elements, and control each on its own. */
export function* runsOf({ kinds, length }: Batch): Generator<readonly [from: number, to: number]> {
  for (let from = 0; from < length; ) {
    let to = from + 1;
    if (kinds[from] === rowKinds.element)
      while (to < length && kinds[to] === rowKinds.element) to++;
    yield [from, to];
    from = to;
  }
}

/** The rows from `from` to before `to`. */
export function part(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.length) return batch;
  const cut = new Batch();
  for (let i = from; i < to; i++)
    cut.push(
      batch.kinds[i] as (typeof batch.kinds)[number],
      batch.values[i],
      batch.timestamps[i] as number,
      batch.origins[i],
    );
  return cut;
}
