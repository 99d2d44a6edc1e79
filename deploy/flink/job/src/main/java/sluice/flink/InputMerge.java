package sluice.flink;

import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/** The watermarks of an operator's inputs as one (deploy/flink/runtime/merge.ts), as lines. */
final class InputMerge {
  private final Scripted merge;

  /** {@code rule}: valve, of a union, or combined, of a join. */
  InputMerge(Functions functions, int inputs, String rule) {
    merge = functions.of("merge", inputs, rule);
  }

  String advance(int input, Watermark mark) {
    return merge.text("advance", input, Times.encode(mark.getTimestamp()));
  }

  String status(int input, WatermarkStatus status) {
    return merge.text(status.isIdle() ? "idle" : "active", input);
  }

  /** What it said last of time: for what is behind it, after a restore. */
  String said() {
    return merge.text("said");
  }

  String snapshot() {
    return merge.text("snapshot");
  }

  void restore(String snapshot) {
    merge.run("restore", snapshot);
  }
}
