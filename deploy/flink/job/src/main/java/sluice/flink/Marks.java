package sluice.flink;

/** Times that each part of an operator keeps in operator state, all of which every part restores. */
final class Marks {
  private Marks() {}

  /** The least of those at {@code index} of each {@code stride}; the minimum without any. */
  static long least(Iterable<Long> all, int index, int stride) {
    long least = Times.MAX;
    int at = 0;
    boolean any = false;
    for (long mark : all) {
      if (at++ % stride != index) continue;
      any = true;
      least = Math.min(least, mark);
    }
    return any ? least : Times.MIN;
  }
}
