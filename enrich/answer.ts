/**
 * What a question to the lake or to the graph is answered with.
 *
 * Invariant: an answer is bounded in rows and in bytes, and says which of the two cut it. Rows
 * beyond are never fetched.
 */

export interface Answer {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** JSON-safe values: integers beyond 2^53 and decimals as text, times as ISO 8601 in UTC. */
  readonly rows: readonly (readonly unknown[])[];
  /** The bound that left rows out, or false. */
  readonly cut: false | 'rows' | 'bytes';
}

export interface AnswerBounds {
  readonly maxRows: number;
  /** Of the rows as JSON. */
  readonly maxBytes: number;
}

/** Takes rows until there are no more or a bound is reached. */
export async function collectRows(
  rows: AsyncIterable<readonly unknown[]>,
  { maxRows, maxBytes }: AnswerBounds,
): Promise<Pick<Answer, 'rows' | 'cut'>> {
  const taken: (readonly unknown[])[] = [];
  let bytes = 0;
  for await (const row of rows) {
    if (taken.length === maxRows) return { rows: taken, cut: 'rows' };
    bytes += Buffer.byteLength(JSON.stringify(row));
    if (bytes > maxBytes) return { rows: taken, cut: 'bytes' };
    taken.push(row);
  }
  return { rows: taken, cut: false };
}
