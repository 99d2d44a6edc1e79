package sluice.flink.kinesis;

import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import sluice.flink.Elem;

/**
 * What was fetched of all shards of one reader and not emitted yet, in the order in which it came.
 *
 * <p>1. It has at most `maxBytes`, or one record: who fetched more waits. 2. At most as many answers
 * are taken apart at once as fit into `maxBytes`, so that a reader holds about twice that much.
 */
final class ShardBuffer {
  /** GetRecords gives no more, a quota of Kinesis. */
  private static final int ANSWER_MAX_BYTES = 10 << 20;

  /** A record with all its parts; or, without a position, how far its shard is read. */
  static final class Item {
    final String shard;
    final String position;
    final List<Elem> elems;
    final long arrivedAtMs;
    final long readToMs;
    final boolean ended;
    /** When the read began that found its end, epoch ms; 0 if it did not, or that is not to be said now. */
    final long heardAtMs;
    private final int bytes;

    private Item(String shard, String position, List<Elem> elems, long arrivedAtMs, long readToMs, boolean ended, long heardAtMs) {
      this.shard = shard;
      this.position = position;
      this.elems = elems;
      this.arrivedAtMs = arrivedAtMs;
      this.readToMs = readToMs;
      this.ended = ended;
      this.heardAtMs = heardAtMs;
      int size = 0;
      for (Elem elem : elems) size += elem.json.length();
      bytes = size;
    }

    static Item record(String shard, String position, List<Elem> elems, long arrivedAtMs) {
      return new Item(shard, position, elems, arrivedAtMs, 0, false, 0);
    }

    static Item readTo(String shard, long ms, boolean ended, long heardAtMs) {
      return new Item(shard, null, List.of(), 0, ms, ended, heardAtMs);
    }
  }

  private final int maxBytes;
  /** Fair, so that no shard waits for the others forever. */
  private final Semaphore free;
  private final Semaphore answers;
  private final Queue<Item> items = new ConcurrentLinkedQueue<>();
  private volatile Throwable failure;
  private CompletableFuture<Void> available = new CompletableFuture<>();

  ShardBuffer(int maxBytes) {
    this.maxBytes = maxBytes;
    free = new Semaphore(maxBytes, true);
    answers = new Semaphore(Math.max(1, maxBytes / ANSWER_MAX_BYTES), true);
  }

  void beginAnswer() throws InterruptedException {
    answers.acquire();
  }

  void endAnswer() {
    answers.release();
  }

  void put(Item item) throws InterruptedException {
    free.acquire(Math.min(item.bytes, maxBytes));
    items.add(item);
    wake();
  }

  /** The next, or null. Throws why a shard cannot be read. */
  Item poll() throws Exception {
    Throwable why = failure;
    if (why instanceof Exception) throw (Exception) why;
    if (why != null) throw new IllegalStateException(why);
    Item item = items.poll();
    if (item != null) free.release(Math.min(item.bytes, maxBytes));
    return item;
  }

  boolean isEmpty() {
    return items.isEmpty() && failure == null;
  }

  void fail(Throwable why) {
    failure = why;
    wake();
  }

  synchronized void wake() {
    available.complete(null);
  }

  /** Completed by the next that is put, or now if there is one; {@code saysMore}: there is something to say. */
  synchronized CompletableFuture<Void> available(boolean saysMore) {
    if (available.isDone() && isEmpty() && !saysMore) available = new CompletableFuture<>();
    if (!isEmpty() || saysMore) available.complete(null);
    return available;
  }
}
