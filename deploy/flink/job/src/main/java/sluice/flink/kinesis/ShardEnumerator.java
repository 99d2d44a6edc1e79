package sluice.flink.kinesis;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.flink.api.connector.source.SourceEvent;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.api.connector.source.SplitsAssignment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sluice.flink.kinesis.Shards.Known;
import sluice.flink.kinesis.Shards.Phase;
import software.amazon.awssdk.core.exception.SdkException;

/**
 * Which shards there are, and who reads them. All but the calls runs on the coordinator's thread.
 *
 * <p>1. A shard begins once all its parents were read to their ends, on a reader that read one of
 * them: its event time continues there. 2. A shard that ended is closed only when shards were listed
 * after that and all its children have begun, so that it holds the time until they do. 3. A reader
 * says what it has when it begins, also after a restore or a failure: what is kept here may be older
 * than that, and follows it.
 */
final class ShardEnumerator implements SplitEnumerator<ShardSplit, Shards> {
  private static final Logger LOG = LoggerFactory.getLogger(ShardEnumerator.class);
  /** Tries of a list that is throttled: its quotas are not ours alone. */
  private static final int LIST_TRIES_MAX = 8;
  private static final long BACKOFF_MS = 500;
  private static final long BACKOFF_MOST_MS = 10_000;

  /** What a call of the list found. */
  private static final class Listed {
    final List<ShardList.One> shards;
    /** Of those that had ended before it began. */
    final Set<String> ended;

    Listed(List<ShardList.One> shards, Set<String> ended) {
      this.shards = shards;
      this.ended = ended;
    }
  }

  private final KinesisSettings settings;
  private final SplitEnumeratorContext<ShardSplit> context;
  private final KinesisApi api;
  /** By shard, parents before their children. */
  private final Map<String, Known> known = new LinkedHashMap<>();
  /** Who has it, of those that are given. */
  private final Map<String, Integer> homes = new HashMap<>();
  private final TreeSet<Integer> readers = new TreeSet<>();
  /** Shards that ended and whose children may not be known; read by the thread that lists. */
  private final Set<String> ended = ConcurrentHashMap.newKeySet();
  private final Set<String> childrenKnown = new HashSet<>();
  private boolean isListed;

  ShardEnumerator(KinesisSettings settings, SplitEnumeratorContext<ShardSplit> context, Shards restored) {
    this.settings = settings;
    this.context = context;
    api = new KinesisApi(settings);
    if (restored == null) return;
    for (Known one : restored.all) known.put(one.split.splitId(), one);
  }

  @Override
  public void start() {
    context.callAsync(this::list, this::listed, 0, settings.discoveryMs);
  }

  private Listed list() throws InterruptedException {
    Set<String> before = new HashSet<>(ended);
    for (int attempt = 1; ; attempt++) {
      try {
        return new Listed(ShardList.of(api.shards()), before);
      } catch (SdkException thrown) {
        ReadFault fault = ReadFault.of(thrown, settings.stream, "kinesis:ListShards", false);
        boolean again = fault.kind == ReadFault.Kind.THROTTLED || (fault.failure != null && fault.failure.retryable);
        if (!again || attempt == LIST_TRIES_MAX)
          throw fault.failure != null ? fault.failure : new StreamFailure("stream-unreachable", settings.stream, "listing its shards is throttled", true, thrown);
        Thread.sleep(BACKOFF_MS + ThreadLocalRandom.current().nextLong(Math.min(BACKOFF_MOST_MS, BACKOFF_MS << attempt)));
      }
    }
  }

  /** The first list has to come; later ones are asked for again. */
  private void listed(Listed found, Throwable failure) {
    if (failure != null) {
      boolean waits = isListed && failure instanceof StreamFailure && ((StreamFailure) failure).retryable;
      if (!waits) throw failure instanceof RuntimeException ? (RuntimeException) failure : new IllegalStateException(failure);
      LOG.warn("{}: its shards are listed again in {} ms", failure.getMessage(), settings.discoveryMs);
      return;
    }
    boolean isFirst = !isListed && known.isEmpty();
    isListed = true;
    Set<String> read = isFirst ? ShardList.ancestors(found.shards, settings.positions.keySet()) : Set.of();
    Start from = isFirst ? Start.of(settings.from, settings.where, System.currentTimeMillis()) : Start.OLDEST;
    Set<String> names = new HashSet<>();
    for (ShardList.One one : found.shards) {
      names.add(one.id);
      Known before = known.get(one.id);
      if (before != null) checkSame(one, before);
      else {
        if (!isFirst && !one.goneParents.isEmpty())
          LOG.warn("Kinesis stream '{}': {}, the parents of {}, were not seen before they were gone", settings.stream, one.goneParents, one.id);
        String position = settings.positions.isEmpty() || !isFirst ? null : settings.positions.get(one.id);
        ShardSplit split = new ShardSplit(one.id, one.parents, one.begins, position, from, 0, read.contains(one.id));
        known.put(one.id, new Known(split, split.ended ? Phase.DONE : Phase.WAITING));
      }
    }
    known.values().removeIf(one -> one.phase == Phase.DONE && !names.contains(one.split.splitId()));
    childrenKnown.addAll(found.ended);
    advance();
  }

  private void checkSame(ShardList.One one, Known before) {
    String begins = before.split.begins;
    if (begins == null || begins.equals(one.begins) || settings.skipsTrimmed) return;
    throw new StreamFailure(
        "split-gone", settings.stream, "it was deleted and created again: its shard " + one.id + " is another than the one that was read; start again without this state", false, null);
  }

  @Override
  public void handleSourceEvent(int subtask, SourceEvent event) {
    if (event instanceof ShardEvents.Held) {
      ShardEvents.Held has = (ShardEvents.Held) event;
      readers.add(subtask);
      for (String shard : has.shards) {
        homes.put(shard, subtask);
        set(shard, Phase.GIVEN);
      }
      for (String shard : has.ended) ended(shard);
    } else if (event instanceof ShardEvents.Ended) {
      ended(((ShardEvents.Ended) event).shard);
    }
    advance();
  }

  private void set(String shard, Phase phase) {
    Known one = known.get(shard);
    if (one != null) known.put(shard, new Known(one.split, phase));
  }

  private void ended(String shard) {
    set(shard, Phase.ENDED);
    childrenKnown.remove(shard);
    ended.add(shard);
    context.callAsync(this::list, this::listed);
  }

  /** Gives what waits, and closes what is over. */
  private void advance() {
    // A reader that is not there yet may have shards of a state, and gets its part of the others.
    if (!isListed || readers.size() < context.currentParallelism()) return;
    List<Known> ready = new ArrayList<>();
    for (Known one : known.values()) if (one.phase == Phase.WAITING && parentsEnded(one)) ready.add(one);
    Homes chosen = new Homes(readers, homes);
    // A reader gets all at once: time may not go on without one of them.
    Map<Integer, List<ShardSplit>> given = new HashMap<>();
    for (int n = 0; n < ready.size(); n++) {
      ShardSplit split = ready.get(n).split;
      int reader = chosen.of(split, n, ready.size());
      homes.put(split.splitId(), reader);
      set(split.splitId(), Phase.GIVEN);
      given.computeIfAbsent(reader, key -> new ArrayList<>()).add(split);
    }
    if (!given.isEmpty()) context.assignSplits(new SplitsAssignment<>(given));
    closeEnded();
    for (int reader : readers)
      if (!homes.containsValue(reader)) context.sendEventToSourceReader(reader, new ShardEvents.NoShards());
  }

  private boolean parentsEnded(Known one) {
    for (String parent : one.split.parents) {
      Known known = this.known.get(parent);
      if (known != null && known.phase != Phase.ENDED && known.phase != Phase.DONE) return false;
    }
    return true;
  }

  private void closeEnded() {
    Set<String> awaited = new HashSet<>();
    for (Known one : known.values()) if (one.phase == Phase.WAITING) awaited.addAll(one.split.parents);
    for (String shard : new ArrayList<>(ended)) {
      if (awaited.contains(shard) || !childrenKnown.contains(shard)) continue;
      int home = homes.get(shard);
      if (!readers.contains(home)) continue;
      context.sendEventToSourceReader(home, new ShardEvents.Close(shard));
      homes.remove(shard);
      set(shard, Phase.DONE);
      ended.remove(shard);
      childrenKnown.remove(shard);
    }
  }

  /** What a reader that failed had not in its last checkpoint; it begins again, and says what it has. */
  @Override
  public void addSplitsBack(List<ShardSplit> splits, int subtask) {
    readers.remove(subtask);
    for (ShardSplit split : splits) {
      homes.remove(split.splitId());
      known.put(split.splitId(), new Known(split, Phase.WAITING));
    }
  }

  @Override
  public Shards snapshotState(long checkpoint) {
    return new Shards(new ArrayList<>(known.values()));
  }

  @Override
  public void handleSplitRequest(int subtask, String host) {}

  /** It says itself what it has. */
  @Override
  public void addReader(int subtask) {}

  @Override
  public void close() {
    api.close();
  }
}
