/**
 * What every store of records at rest promises. The random part plays adds, reads and frees against
 * a map, with records from empty to many times a usual one.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { kibi } from '../../schemas/kernel/bytes.ts';
import { seededRandom } from '../../schemas/kernel/random.ts';
import type { RecordStore } from '../../topology/state/records.ts';

/** What may be held beside what lives, and for little. */
export interface RecordStoreBounds {
  readonly emptyMaxBytes: number;
  /** What is done beside the turns of who uses the store goes on. */
  readonly goOn?: () => Promise<void>;
}

/** Between so many calls of the random part. */
const turnCalls = 100;

/** A record as operators have them: JSON whose texts differ. */
function jsonRecord(n: number, bytes: number): Buffer {
  const words: string[] = [];
  const random = seededRandom(n + 1);
  for (let length = 60; length < bytes; length += 24)
    words.push(`"field${words.length}":"${random.next().toString(36).slice(2, 12)}"`);
  return Buffer.from(`{"id":"event-${n}","at":${1_760_000_000_000 + n},${words.join(',')}}`);
}

export function recordStoreContract(
  name: string,
  make: () => RecordStore,
  { emptyMaxBytes, goOn }: RecordStoreBounds,
): void {
  describe(name, () => {
    const opened: RecordStore[] = [];
    const open = (): RecordStore => {
      const store = make();
      opened.push(store);
      return store;
    };
    afterEach(() => {
      for (const store of opened.splice(0)) store.close();
    });
    const textOf = (store: RecordStore, handle: number): string =>
      Buffer.from(store.read(handle)).toString('latin1');

    it('gives back what was added, also nothing and more than any page holds', () => {
      const store = open();
      const sizes = [0, 1, 300, 5_000, 70_000, 3_000_000, 10, 0, 900];
      const all = sizes.map((size, n) => Buffer.alloc(size, 97 + n));
      const handles = all.map((bytes) => store.add(bytes));
      for (const [n, handle] of handles.entries())
        expect(Buffer.compare(store.read(handle), all[n] as Buffer)).toBe(0);
      expect(new Set(handles).size).toBe(sizes.length);
      expect(store.records).toBe(sizes.length);
      expect(store.bytes).toBe(sizes.reduce((sum, size) => sum + size, 0));
      expect(store.heldBytes).toBeGreaterThan(0);
    });

    it('copies what it is given', () => {
      const store = open();
      const bytes = Buffer.from('as it was');
      const handle = store.add(bytes);
      bytes.fill('x');
      expect(textOf(store, handle)).toBe('as it was');
    });

    it('gives positive numbers of 32 bits, and those of freed records again', () => {
      const store = open();
      const of = (n: number): number => store.add(Buffer.from(String(n)));
      const handles = Array.from({ length: 1_000 }, (_, n) => of(n));
      for (const handle of handles) store.free(handle);
      const again = Array.from({ length: 1_000 }, (_, n) => of(n));
      expect([...again].sort((a, b) => a - b)).toEqual([...handles].sort((a, b) => a - b));
      expect(handles.every((n) => Number.isInteger(n) && n > 0 && n < 2 ** 32)).toBe(true);
    });

    it('knows no record that was freed, or never was', () => {
      const store = open();
      const handle = store.add(Buffer.from('a'));
      store.add(Buffer.from('b'));
      store.free(handle);
      expect(() => store.read(handle)).toThrow('not freed');
      expect(() => store.free(handle)).toThrow('not freed');
      expect(() => store.read(77)).toThrow('not freed');
      expect(() => store.read(0)).toThrow('not freed');
    });

    it('holds little when all is freed, in any order', () => {
      for (const order of ['as they came', 'backwards', 'mixed']) {
        const store = open();
        const handles = Array.from({ length: 20_000 }, (_, n) => store.add(jsonRecord(n, 300)));
        const full = store.heldBytes;
        if (order === 'backwards') handles.reverse();
        if (order === 'mixed')
          handles.sort((a, b) => ((a * 7_919) % 20_011) - ((b * 7_919) % 20_011));
        for (const handle of handles) store.free(handle);
        expect([order, store.records, store.bytes]).toEqual([order, 0, 0]);
        expect(full).toBeGreaterThan(emptyMaxBytes);
        expect(store.heldBytes).toBeLessThanOrEqual(emptyMaxBytes);
      }
    });

    it('holds no more when records are replaced, however often', () => {
      const store = open();
      const random = seededRandom(4);
      const samples = Array.from({ length: 500 }, (_, n) => jsonRecord(n, 600));
      const sample = (n: number): Buffer => samples[n % samples.length] as Buffer;
      const handles = Array.from({ length: 8_000 }, (_, n) => store.add(sample(n)));
      const full = store.heldBytes;
      for (let n = 0; n < 32_000; n++) {
        const at = Math.floor(random.next() * handles.length);
        store.free(handles[at] as number);
        handles[at] = store.add(sample(n));
      }
      expect(store.heldBytes).toBeLessThanOrEqual(2 * full + emptyMaxBytes);
      expect(new Set(handles).size).toBe(handles.length);
    });

    it('keeps two stores apart', () => {
      const [one, other] = [open(), open()];
      const handle = one.add(Buffer.from('one'));
      expect(other.add(Buffer.from('other'))).toBe(handle);
      expect([textOf(one, handle), textOf(other, handle)]).toEqual(['one', 'other']);
      other.close();
      expect(textOf(one, handle)).toBe('one');
    });

    it.each([1, 2, 3])(
      'holds what a map holds, whatever comes and goes (seed %i)',
      async (seed) => {
        const store = open();
        const random = seededRandom(seed);
        const known = new Map<number, Buffer>();
        const live: number[] = [];
        let bytes = 0;
        const sizeOf = (kind: number): number =>
          kind < 0.9 ? random.next() * kibi : kind < 0.99 ? random.next() * 10 * kibi : 40 * kibi;
        for (let step = 0; step < 12_000; step++) {
          const grows = Math.floor(step / 3_000) % 2 === 0;
          if (live.length === 0 || random.next() < (grows ? 0.7 : 0.3)) {
            const record = jsonRecord(step, Math.floor(sizeOf(random.next())));
            const handle = store.add(record);
            expect(known.has(handle)).toBe(false);
            known.set(handle, record);
            live.push(handle);
            bytes += record.length;
          } else {
            const at = Math.floor(random.next() * live.length);
            const handle = live[at] as number;
            const record = known.get(handle) as Buffer;
            expect(Buffer.compare(store.read(handle), record)).toBe(0);
            store.free(handle);
            known.delete(handle);
            live[at] = live.at(-1) as number;
            live.pop();
            bytes -= record.length;
          }
          if (store.records !== live.length || store.bytes !== bytes) expect(step).toBe('exact');
          if (step % turnCalls === 0) await goOn?.();
        }
        for (const [handle, record] of known)
          expect(Buffer.compare(store.read(handle), record)).toBe(0);
      },
    );
  });
}
