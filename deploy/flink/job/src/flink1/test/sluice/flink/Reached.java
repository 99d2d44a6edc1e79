package sluice.flink;

import org.apache.flink.streaming.runtime.io.PushingAsyncDataInput.DataOutput;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;

/** What comes out of a task's input, but for what no job here sends (of Flink 1.20; 2.x: src/flink2). */
interface Reached extends DataOutput<Elem> {
  @Override
  default void emitLatencyMarker(LatencyMarker marker) {}

  @Override
  default void emitRecordAttributes(RecordAttributes attributes) {}
}
