package sluice.flink;

import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.graalvm.polyglot.Value;

/** The watermarks of an operator's inputs as one (deploy/flink/runtime/merge.ts), as lines. */
final class InputMerge {
  private final Value merge;

  /** {@code rule}: valve, of a union, or combined, of a join. */
  InputMerge(Functions functions, int inputs, String rule) {
    merge = functions.of("merge", inputs, rule);
  }

  String advance(int input, Watermark mark) {
    return merge.invokeMember("advance", input, Times.encode(mark.getTimestamp())).asString();
  }

  String status(int input, WatermarkStatus status) {
    return merge.invokeMember(status.isIdle() ? "idle" : "active", input).asString();
  }

  /** What it said last of time: for what is behind it, after a restore. */
  String said() {
    return merge.invokeMember("said").asString();
  }

  String snapshot() {
    return merge.invokeMember("snapshot").asString();
  }

  void restore(String snapshot) {
    merge.invokeMember("restore", snapshot);
  }
}
