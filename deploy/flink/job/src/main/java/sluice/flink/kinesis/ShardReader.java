package sluice.flink.kinesis;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.core.io.InputStatus;
import sluice.flink.ClaimStore;
import sluice.flink.Claims;
import sluice.flink.Elem;
import sluice.flink.Splits;
import sluice.flink.kinesis.ShardBuffer.Item;

/**
 * Emits the records of its shards, which threads of their own fetch.
 *
 * <p>1. A position counts as read with all parts of its record. 2. A shard that was read to its end
 * is kept, and said again after a restore, until the enumerator closes it: its children have begun
 * by then.
 */
final class ShardReader implements SourceReader<Elem, ShardSplit> {
  static final String ROUTE = "kinesis";
  /** For threads whose call is not over. */
  private static final long CLOSE_MAX_MS = 1_000;

  private final KinesisSettings settings;
  private final SourceReaderContext context;
  private final KinesisApi api;
  private final Retention retention;
  private final Claims claims;
  private final ShardBuffer buffer;
  private final Splits splits;
  private final Map<String, ShardSplit> held = new LinkedHashMap<>();
  private final List<Thread> threads = new ArrayList<>();
  /** Null before the first time. */
  private Set<String> saidReads;
  private boolean isStarted;

  ShardReader(KinesisSettings settings, SourceReaderContext context) {
    this.settings = settings;
    this.context = context;
    api = new KinesisApi(settings);
    retention = new Retention(api);
    claims = new Claims(settings.topologyStream, ClaimStore.of(settings.claims));
    buffer = new ShardBuffer(settings.bufferMaxBytes);
    splits = new Splits(settings.source, true);
  }

  @Override
  public void start() {
    isStarted = true;
    List<String> ended = new ArrayList<>();
    for (ShardSplit split : held.values()) if (split.ended) ended.add(split.splitId());
    context.sendSourceEventToCoordinator(new ShardEvents.Held(new ArrayList<>(held.keySet()), ended));
  }

  @Override
  public void addSplits(List<ShardSplit> added) {
    for (ShardSplit split : added) {
      held.put(split.splitId(), split);
      splits.begin(ROUTE, split.splitId(), split.parents);
      if (split.ended) {
        if (isStarted) context.sendSourceEventToCoordinator(new ShardEvents.Ended(split.splitId()));
        continue;
      }
      Thread thread = new Thread(new ShardReading(split, settings, api, retention, claims, buffer), settings.source + " " + split.splitId());
      thread.setDaemon(true);
      thread.setContextClassLoader(getClass().getClassLoader());
      threads.add(thread);
      thread.start();
    }
    reads();
  }

  private void reads() {
    if (!held.keySet().equals(saidReads)) splits.reads(ROUTE, held.keySet());
    saidReads = new HashSet<>(held.keySet());
    buffer.wake();
  }

  @Override
  public void handleSourceEvents(SourceEvent event) {
    if (event instanceof ShardEvents.Close) {
      String shard = ((ShardEvents.Close) event).shard;
      if (held.remove(shard) != null) splits.end(ROUTE, shard);
    }
    reads();
  }

  @Override
  public InputStatus pollNext(ReaderOutput<Elem> output) throws Exception {
    splits.say(output);
    Item item = buffer.poll();
    if (item == null) return InputStatus.NOTHING_AVAILABLE;
    for (Elem elem : item.elems) output.collect(elem, item.arrivedAtMs);
    ShardSplit split = held.get(item.shard);
    if (item.position != null) held.put(item.shard, split.at(item.position));
    else held.put(item.shard, split.readTo(item.readToMs, item.ended));
    if (item.heardAtMs > 0) splits.heard(ROUTE, item.shard, item.heardAtMs);
    if (item.ended) context.sendSourceEventToCoordinator(new ShardEvents.Ended(item.shard));
    return buffer.isEmpty() ? InputStatus.NOTHING_AVAILABLE : InputStatus.MORE_AVAILABLE;
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return buffer.available(splits.hasNews());
  }

  @Override
  public List<ShardSplit> snapshotState(long checkpoint) {
    List<ShardSplit> kept = new ArrayList<>();
    for (ShardSplit split : held.values()) kept.add(split.kept());
    return kept;
  }

  /** Never said: shards come as long as the stream is there. */
  @Override
  public void notifyNoMoreSplits() {}

  @Override
  public void close() throws Exception {
    for (Thread thread : threads) thread.interrupt();
    for (Thread thread : threads) thread.join(CLOSE_MAX_MS);
    api.close();
    claims.close();
  }
}
