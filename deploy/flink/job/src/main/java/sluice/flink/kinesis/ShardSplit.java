package sluice.flink.kinesis;

import java.util.List;
import org.apache.flink.api.connector.source.SourceSplit;

/** A shard, and how far it is read. Immutable. */
final class ShardSplit implements SourceSplit {
  /** The parents whose records come before its own, as far as they were listed. */
  final List<String> parents;
  /** A sequence number before all of its records, or null: of a stream that was created again it is another. */
  final String begins;
  /** The sequence number of the last record that was read, or null. */
  final String position;
  /** Where one without a position begins. */
  final Start from;
  /** Epoch ms: all that had arrived by then was read; 0 if that is not known. */
  final long readToMs;
  /** It is closed, and was read to its end. */
  final boolean ended;
  private final String id;

  ShardSplit(String id, List<String> parents, String begins, String position, Start from, long readToMs, boolean ended) {
    this.id = id;
    this.parents = parents;
    this.begins = begins;
    this.position = position;
    this.from = from;
    this.readToMs = readToMs;
    this.ended = ended;
  }

  @Override
  public String splitId() {
    return id;
  }

  /** After a record. */
  ShardSplit at(String read) {
    return new ShardSplit(id, parents, begins, read, from, readToMs, ended);
  }

  /** After an answer whose records are all read. */
  ShardSplit readTo(long ms, boolean end) {
    return new ShardSplit(id, parents, begins, position, from, ms, end);
  }

  /** As a state has it: what begins with the newest record does not begin there a second time. */
  ShardSplit kept() {
    return new ShardSplit(id, parents, begins, position, from.kept(), readToMs, ended);
  }

  @Override
  public String toString() {
    return id + (position == null ? " from " + from : " after " + position);
  }
}
