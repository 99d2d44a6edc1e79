package sluice.flink.kinesis;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Which reader gets a shard. */
final class Homes {
  private final List<Integer> readers;
  private final Map<String, Integer> homes;
  private final boolean isFirst;

  /** {@code homes}: who has which; it is changed by whoever calls while shards are given. */
  Homes(Collection<Integer> readers, Map<String, Integer> homes) {
    this.readers = new ArrayList<>(readers);
    this.homes = homes;
    isFirst = homes.isEmpty();
  }

  /**
   * The reader of a parent, so that event time continues. Of the shards that are given first, ranges:
   * those that may be merged later lie beside each other. Then whoever has least.
   */
  int of(ShardSplit split, int n, int count) {
    for (String parent : split.parents) {
      Integer home = homes.get(parent);
      if (home != null && readers.contains(home)) return home;
    }
    if (isFirst) return readers.get((int) ((long) n * readers.size() / count));
    Map<Integer, Integer> loads = new HashMap<>();
    for (int home : homes.values()) loads.merge(home, 1, Integer::sum);
    int least = readers.get(0);
    for (int reader : readers) if (loads.getOrDefault(reader, 0) < loads.getOrDefault(least, 0)) least = reader;
    return least;
  }
}
