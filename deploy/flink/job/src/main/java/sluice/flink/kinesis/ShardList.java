package sluice.flink.kinesis;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import software.amazon.awssdk.services.kinesis.model.Shard;

/** The shards of a stream as splits, as deploy/streams/kinesis/shards.ts has them. */
final class ShardList {
  static final class One {
    final String id;
    /** Those whose records come before its own, as far as they are listed. */
    final List<String> parents;
    /** Parents that are no longer listed: they are gone with their records. */
    final List<String> goneParents;
    /** A sequence number before all of its records. */
    final String begins;

    private One(String id, List<String> parents, List<String> goneParents, String begins) {
      this.id = id;
      this.parents = parents;
      this.goneParents = goneParents;
      this.begins = begins;
    }
  }

  private final Map<String, Shard> byId = new TreeMap<>();
  private final Set<String> begun = new HashSet<>();
  private final Map<String, One> ordered = new LinkedHashMap<>();

  private ShardList() {}

  /** Parents before their children, otherwise in the order of their ids. */
  static List<One> of(List<Shard> shards) {
    ShardList list = new ShardList();
    for (Shard shard : shards) list.byId.put(shard.shardId(), shard);
    for (Shard shard : list.byId.values()) list.place(shard);
    return new ArrayList<>(list.ordered.values());
  }

  private void place(Shard shard) {
    if (!begun.add(shard.shardId())) return;
    Set<String> names = new LinkedHashSet<>();
    if (shard.parentShardId() != null) names.add(shard.parentShardId());
    if (shard.adjacentParentShardId() != null) names.add(shard.adjacentParentShardId());
    List<String> parents = new ArrayList<>();
    List<String> gone = new ArrayList<>();
    for (String name : names) {
      if (!byId.containsKey(name)) gone.add(name);
      else {
        place(byId.get(name));
        // A shard is never its own ancestor; were one listed so, it would be read without waiting.
        if (ordered.containsKey(name)) parents.add(name);
      }
    }
    String begins = shard.sequenceNumberRange() == null ? null : shard.sequenceNumberRange().startingSequenceNumber();
    ordered.put(shard.shardId(), new One(shard.shardId(), parents, gone, begins));
  }

  /** All that come before these: where reading continues in a shard, its ancestors were read. */
  static Set<String> ancestors(List<One> shards, Collection<String> of) {
    Map<String, One> byId = new LinkedHashMap<>();
    for (One one : shards) byId.put(one.id, one);
    Set<String> found = new HashSet<>();
    List<String> left = new ArrayList<>(of);
    while (!left.isEmpty()) {
      One one = byId.get(left.remove(left.size() - 1));
      if (one == null) continue;
      for (String parent : one.parents) if (found.add(parent)) left.add(parent);
    }
    return found;
  }
}
