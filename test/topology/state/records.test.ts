/** The stores of records at rest in memory: plain, as small ones are, deflated, and deflated beside. */
import { expect, it } from 'vitest';
import { kibi, mebi } from '../../../schemas/kernel/bytes.ts';
import { seededRandom } from '../../../schemas/kernel/random.ts';
import { BlockRecords } from '../../../topology/state/block-records.ts';
import type { BlockDeflater, BlockRow } from '../../../topology/state/deflate-blocks.ts';
import { deflatedBlocks } from '../../../topology/state/deflate-blocks.ts';
import { memoryRecords } from '../../../topology/state/memory-records.ts';
import { memorySegments } from '../../../topology/state/segments.ts';
import { recordStoreContract } from '../../contract/record-store.ts';

const bounds = { emptyMaxBytes: mebi };
const small = { plainMaxBytes: 0, segmentBytes: 64 * kibi };
const deflated = (): BlockRecords => new BlockRecords(memorySegments({ plainMaxBytes: 0 }));

interface Waiting {
  readonly blocks: BlockRow;
  readonly resolve: (made: BlockRow) => void;
}

/** Answers when it is told to, in any order; takes four segments at a time. */
function deflaterAside(): BlockDeflater & {
  readonly goOn: () => Promise<void>;
  readonly done: number;
} {
  const waiting: Waiting[] = [];
  const random = seededRandom(9);
  let done = 0;
  return {
    get done() {
      return done;
    },
    get hasRoom() {
      return waiting.length < 4;
    },
    deflate: (blocks) => new Promise((resolve) => waiting.push({ blocks, resolve })),
    async goOn() {
      for (let answers = random.next() * 4; answers > 1 && waiting.length > 0; answers--) {
        const [next] = waiting.splice(Math.floor(random.next() * waiting.length), 1);
        next?.resolve(deflatedBlocks(next.blocks));
        done++;
      }
      await Promise.resolve();
    },
  };
}

const aside = deflaterAside();

/** Takes what another one takes, and ends. */
function deflaterThatEnds(): BlockDeflater {
  let taken = 0;
  return {
    get hasRoom() {
      return taken < 4;
    },
    deflate() {
      taken++;
      return Promise.reject(new Error('ended'));
    },
  };
}

recordStoreContract('records in memory', memoryRecords, bounds);
recordStoreContract('deflated records in memory', deflated, bounds);
recordStoreContract(
  'records in memory that are deflated beside the turns',
  () => new BlockRecords(memorySegments(small), aside),
  { ...bounds, goOn: aside.goOn },
);
recordStoreContract(
  'records in memory whose deflater ended',
  () => new BlockRecords(memorySegments(small), deflaterThatEnds()),
  bounds,
);

it('holds less once what was given to be deflated came back', async () => {
  const deflater = deflaterAside();
  const store = new BlockRecords(memorySegments(small), deflater);
  const text = JSON.stringify({ team: 'app', words: 'said again and again '.repeat(30) });
  const handles = Array.from({ length: 400 }, (_, n) => store.add(Buffer.from(`${n}${text}`)));
  const rawBytes = store.heldBytes;
  expect(rawBytes).toBeGreaterThan(store.bytes * 0.9);
  while (deflater.done < 3) await deflater.goOn();
  expect(store.heldBytes).toBeLessThan(rawBytes - 2.5 * small.segmentBytes);
  for (const [n, handle] of handles.entries())
    expect(Buffer.from(store.read(handle)).toString()).toBe(`${n}${text}`);
});
