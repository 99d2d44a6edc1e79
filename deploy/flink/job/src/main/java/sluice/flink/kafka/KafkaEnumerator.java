package sluice.flink.kafka;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the partitions of a topic, also those that come later, and gives each to one reader.
 *
 * <p>1. At the first look partitions begin where the settings say; what is found later begins with
 * its oldest record. 2. A topic that was deleted and created again is another one: its partitions
 * are read from their first records, and readers let go of those before it. 3. Readers are told when
 * all that there is was given out, also those that got nothing.
 */
final class KafkaEnumerator implements SplitEnumerator<Partition, KnownTopic> {
  private static final Logger LOG = LoggerFactory.getLogger(KafkaEnumerator.class);

  private final KafkaSettings settings;
  private final SplitEnumeratorContext<Partition> context;
  /** By reader: what it is given once it is there. */
  private final Map<Integer, List<Partition>> waiting = new HashMap<>();
  private volatile KnownTopic known;
  private boolean looked;
  private Admin admin;

  KafkaEnumerator(KafkaSettings settings, SplitEnumeratorContext<Partition> context, KnownTopic known) {
    this.settings = settings;
    this.context = context;
    this.known = known;
  }

  /** All partitions of a topic were given out; a reader has those that it was given. */
  static final class Given implements SourceEvent {
    private static final long serialVersionUID = 1;
    final String topicId;

    Given(String topicId) {
      this.topicId = topicId;
    }
  }

  /** What a look found. */
  private static final class Found {
    final KnownTopic topic;
    final List<Partition> fresh;

    Found(KnownTopic topic, List<Partition> fresh) {
      this.topic = topic;
      this.fresh = fresh;
    }
  }

  @Override
  public void start() {
    admin = Admin.create(settings.client());
    context.callAsync(this::look, this::take, 0, settings.discoverMs);
  }

  private Found look() throws Exception {
    KnownTopic topic = KnownTopic.now(admin, settings);
    KnownTopic before = known;
    Set<Integer> fresh = new TreeSet<>(topic.partitions);
    if (before != null && before.id.equals(topic.id)) fresh.removeAll(before.partitions);
    try {
      return new Found(topic, begun(fresh, topic.id, before == null));
    } catch (ExecutionException thrown) {
      throw settings.unseen(thrown.getCause());
    }
  }

  /** Partitions with where they begin. */
  private List<Partition> begun(Set<Integer> fresh, String id, boolean first) throws Exception {
    Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
    List<Partition> begun = new ArrayList<>();
    for (int number : fresh) {
      Long position = first ? settings.positions.get(number) : null;
      if (position != null) begun.add(new Partition(number, id, position + 1));
      else asked.put(new TopicPartition(settings.topic, number), spec(first));
    }
    if (asked.isEmpty()) return begun;
    Map<TopicPartition, ListOffsetsResultInfo> offsets = offsets(asked);
    Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
    // After the time there is nothing yet.
    offsets.forEach((partition, found) -> {
      if (found.offset() < 0) ends.put(partition, OffsetSpec.latest());
    });
    Map<TopicPartition, ListOffsetsResultInfo> atEnd = ends.isEmpty() ? Map.of() : offsets(ends);
    offsets.forEach((partition, found) ->
        begun.add(new Partition(partition.partition(), id, atEnd.getOrDefault(partition, found).offset())));
    return begun;
  }

  private OffsetSpec spec(boolean first) {
    if (!first || settings.from == null || settings.from.equals("earliest")) return OffsetSpec.earliest();
    return settings.from.equals("latest") ? OffsetSpec.latest() : OffsetSpec.forTimestamp(Long.parseLong(settings.from));
  }

  private Map<TopicPartition, ListOffsetsResultInfo> offsets(Map<TopicPartition, OffsetSpec> asked) throws Exception {
    return admin.listOffsets(asked, new ListOffsetsOptions(IsolationLevel.READ_COMMITTED)).all().get();
  }

  private void take(Found found, Throwable failure) {
    if (failure != null) {
      if (!looked) throw new IllegalStateException(failure.getMessage(), failure);
      LOG.warn("{}; it is tried again in {} ms", failure.getMessage(), settings.discoverMs);
      return;
    }
    if (known != null && !known.id.equals(found.topic.id)) replaced(found);
    for (Partition partition : found.fresh)
      waiting.computeIfAbsent(partition.number % context.currentParallelism(), none -> new ArrayList<>()).add(partition);
    boolean changed = !looked || !found.fresh.isEmpty();
    known = found.topic;
    looked = true;
    if (changed) for (int reader : List.copyOf(context.registeredReaders().keySet())) give(reader);
  }

  private void replaced(Found found) {
    LOG.warn(
        "{}: the topic was deleted and created again ({} is now {}): what was not read of it is gone, and its partitions are read from their first records",
        settings.topic, known.id, found.topic.id);
    waiting.clear();
  }

  private void give(int reader) {
    List<Partition> given = waiting.remove(reader);
    if (given != null) for (Partition partition : given) context.assignSplit(partition, reader);
    if (looked) context.sendEventToSourceReader(reader, new Given(known.id));
  }

  @Override
  public void addReader(int reader) {
    give(reader);
  }

  @Override
  public void addSplitsBack(List<Partition> splits, int reader) {
    waiting.computeIfAbsent(reader, none -> new ArrayList<>()).addAll(splits);
  }

  @Override
  public void handleSplitRequest(int reader, String host) {}

  /** What waits for its reader was not given out. */
  @Override
  public KnownTopic snapshotState(long checkpoint) {
    if (known == null) return null;
    Set<Integer> given = new TreeSet<>(known.partitions);
    for (List<Partition> some : waiting.values()) for (Partition one : some) given.remove(one.number);
    return new KnownTopic(known.id, given);
  }

  @Override
  public void close() {
    if (admin != null) admin.close();
  }
}
