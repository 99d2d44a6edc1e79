package sluice.flink.kafka;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;
import sluice.flink.Elem;
import sluice.flink.RawRecord;
import sluice.flink.Splits;

/**
 * Reads partitions: a thread of its own fetches ({@link KafkaFetcher}), the task's thread emits. A
 * partition's position is that of the last record that was emitted.
 */
final class KafkaReader implements SourceReader<Elem, Partition> {
  private static final String ROUTE = "kafka";
  /** Records of one poll: between two the task does what else it has to do. */
  private static final int POLL_RECORDS = 64;

  private final Splits splits;
  private final KafkaFetcher fetcher;
  /** By split. */
  private final Map<String, Partition> partitions = new HashMap<>();
  /** Where each partition is to be committed, by checkpoint. */
  private final TreeMap<Long, List<Partition>> snapshots = new TreeMap<>();
  /**
   * Not fetched yet: which topic there is now is said behind them, as what the reader has may be of
   * one that is gone, and partitions of both have the same place in the consumer.
   */
  private final List<Partition> held = new ArrayList<>();
  /** Taken from the fetcher, and not emitted yet. */
  private final ArrayDeque<RawRecord> records = new ArrayDeque<>();

  KafkaReader(KafkaSettings settings) {
    splits = new Splits(settings.source, true);
    fetcher = new KafkaFetcher(settings);
  }

  @Override
  public void start() {
    fetcher.start();
  }

  @Override
  public InputStatus pollNext(ReaderOutput<Elem> output) throws Exception {
    splits.say(output);
    for (int left = POLL_RECORDS; left > 0; left--) {
      if (records.isEmpty() && !take(output)) return InputStatus.NOTHING_AVAILABLE;
      RawRecord record = records.poll();
      if (record == null) continue;
      Partition partition = partitions.get(record.split);
      // It may have been let go since it was fetched.
      if (partition == null) continue;
      output.collect(record.elem(), record.arrivedAtMs);
      partitions.put(record.split, new Partition(partition.number, partition.topicId, Long.parseLong(record.position) + 1));
    }
    return InputStatus.MORE_AVAILABLE;
  }

  /** The next of what was fetched; false without any. */
  private boolean take(ReaderOutput<Elem> output) throws Exception {
    KafkaFetcher.Fetched next = fetcher.take();
    if (next == null) return false;
    if (next.records != null) records.addAll(next.records);
    else if (partitions.containsKey(next.split)) {
      splits.heard(ROUTE, next.split, next.heardMs);
      splits.say(output);
    }
    return true;
  }

  @Override
  public CompletableFuture<Void> isAvailable() {
    return splits.hasNews() || !records.isEmpty() ? CompletableFuture.completedFuture(null) : fetcher.available();
  }

  @Override
  public void addSplits(List<Partition> added) {
    for (Partition partition : added) {
      partitions.put(partition.splitId(), partition);
      splits.begin(ROUTE, partition.splitId());
    }
    held.addAll(added);
  }

  private void assign() {
    fetcher.assign(List.copyOf(partitions.values()), List.copyOf(held));
    held.clear();
  }

  @Override
  public void handleSourceEvents(SourceEvent event) {
    if (!(event instanceof KafkaEnumerator.Given)) return;
    String topicId = ((KafkaEnumerator.Given) event).topicId;
    boolean gone = partitions.values().removeIf(partition -> !partition.topicId.equals(topicId));
    if (gone || !held.isEmpty()) assign();
    splits.reads(ROUTE, partitions.keySet());
    fetcher.wake();
  }

  @Override
  public List<Partition> snapshotState(long checkpoint) {
    List<Partition> now = new ArrayList<>(partitions.values());
    snapshots.put(checkpoint, now);
    return now;
  }

  /** For those who look at lags: nothing is ever read from there. */
  @Override
  public void notifyCheckpointComplete(long checkpoint) {
    List<Partition> done = snapshots.get(checkpoint);
    snapshots.headMap(checkpoint, true).clear();
    if (done != null) fetcher.commit(done);
  }

  @Override
  public void notifyNoMoreSplits() {}

  @Override
  public void close() throws Exception {
    fetcher.close();
  }
}
