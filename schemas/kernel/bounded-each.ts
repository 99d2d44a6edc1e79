/**
 * Does something for each item, at most `max` at a time, and resolves when all are done. After a
 * failure no new item starts, and it rejects with the first failure once those in progress have
 * ended, so that nothing continues behind the caller's back.
 */
export async function boundedEach<T>(
  items: readonly T[],
  max: number,
  what: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed: { readonly fault: unknown } | undefined;
  const lane = async (): Promise<void> => {
    while (next < items.length && failed === undefined) {
      try {
        await what(items[next++] as T);
      } catch (fault) {
        failed ??= { fault };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(max, items.length) }, lane));
  if (failed !== undefined) throw (failed as { readonly fault: unknown }).fault;
}
