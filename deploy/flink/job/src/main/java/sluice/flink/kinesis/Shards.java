package sluice.flink.kinesis;

import java.util.List;

/** A stream's shards as the enumerator knows them. Immutable: this is its state in a checkpoint. */
final class Shards {
  enum Phase {
    /** For the ends of its parents, or for a reader. */
    WAITING,
    /** A reader has it. */
    GIVEN,
    /** It was read to its end, and holds time until its children have begun. */
    ENDED,
    /** All of it is read, and its children have begun. */
    DONE
  }

  static final class Known {
    /** As it is given to a reader. */
    final ShardSplit split;
    final Phase phase;

    Known(ShardSplit split, Phase phase) {
      this.split = split;
      this.phase = phase;
    }
  }

  /** Parents before their children. */
  final List<Known> all;

  Shards(List<Known> all) {
    this.all = all;
  }
}
