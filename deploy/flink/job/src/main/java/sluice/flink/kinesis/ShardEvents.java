package sluice.flink.kinesis;

import java.util.List;
import org.apache.flink.api.connector.source.SourceEvent;

/** What readers and the enumerator tell each other. */
final class ShardEvents {
  private ShardEvents() {}

  /** A reader begins, with these shards of a state; of them it has read some to their ends. */
  static final class Held implements SourceEvent {
    private static final long serialVersionUID = 1;
    final List<String> shards;
    final List<String> ended;

    Held(List<String> shards, List<String> ended) {
      this.shards = shards;
      this.ended = ended;
    }
  }

  /** A reader has read a shard to its end. */
  static final class Ended implements SourceEvent {
    private static final long serialVersionUID = 1;
    final String shard;

    Ended(String shard) {
      this.shard = shard;
    }
  }

  /** The children of a shard have begun: it holds no time any more. */
  static final class Close implements SourceEvent {
    private static final long serialVersionUID = 1;
    final String shard;

    Close(String shard) {
      this.shard = shard;
    }
  }

  /** There is no shard for a reader now. */
  static final class NoShards implements SourceEvent {
    private static final long serialVersionUID = 1;
  }
}
