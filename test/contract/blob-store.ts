/**
 * What every blob store must do.
 */
import { expect, it } from 'vitest';
import type { BlobStore } from '../../schemas/ports/blob-store.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

export function blobStoreContract(make: () => BlobStore): void {
  it('creates a key once: of many callers exactly one wins, and its bytes stay', async () => {
    const store = make();
    const won = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.createIfAbsent('a/b/key', bytes(`caller ${n}`))),
    );
    expect(won.filter(Boolean)).toHaveLength(1);
    expect(Buffer.from((await store.get('a/b/key')) ?? []).toString()).toBe(
      `caller ${won.indexOf(true)}`,
    );
  });

  it('lists by prefix in order, and nothing that is being written', async () => {
    const store = make();
    for (const key of ['c/2', 'c/10', 'c/1', 'd/1', 'c/sub/1'])
      await store.createIfAbsent(key, bytes(key));
    expect(await store.list('c/')).toEqual(['c/1', 'c/10', 'c/2', 'c/sub/1']);
    expect(await store.list('c/1')).toEqual(['c/1', 'c/10']);
    expect(await store.list('none/')).toEqual([]);
  });

  it('has nothing for a key that is not there, before and after deleting it', async () => {
    const store = make();
    expect(await store.get('x')).toBeUndefined();
    await store.createIfAbsent('x', bytes('1'));
    await store.delete('x');
    await store.delete('x');
    expect(await store.get('x')).toBeUndefined();
    expect(await store.createIfAbsent('x', bytes('2'))).toBe(true);
  });

  it('keeps any bytes, none and many', async () => {
    const store = make();
    const many = Uint8Array.from({ length: 1_000_000 }, (_, n) => n % 251);
    expect(await store.createIfAbsent('none', new Uint8Array())).toBe(true);
    expect(await store.createIfAbsent('many', many)).toBe(true);
    expect(await store.createIfAbsent('none', bytes('late'))).toBe(false);
    expect((await store.get('none'))?.length).toBe(0);
    expect(Buffer.compare((await store.get('many')) ?? new Uint8Array(), many)).toBe(0);
  });

  it('refuses keys that would leave its place', async () => {
    const store = make();
    for (const key of ['../x', '/x', 'a//b', 'a/../b', '.hidden', 'a b', '']) {
      await expect(store.createIfAbsent(key, bytes(''))).rejects.toMatchObject({
        code: 'blob-key-invalid',
      });
      await expect(store.get(key)).rejects.toMatchObject({ code: 'blob-key-invalid' });
      await expect(store.delete(key)).rejects.toMatchObject({ code: 'blob-key-invalid' });
    }
    await expect(store.list('../')).rejects.toMatchObject({ code: 'blob-key-invalid' });
  });
}
