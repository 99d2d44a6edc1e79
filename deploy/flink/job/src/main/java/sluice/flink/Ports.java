package sluice.flink;

import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/** The outputs of operators beside the first: by the port's name in the plan. */
final class Ports {
  /** What any operator rejects, as JSON. */
  static final OutputTag<Elem> REJECTED = tag("rejected elements");
  static final OutputTag<Elem> LATE = tag("late");
  static final OutputTag<Elem> LATE_LEFT = tag("lateLeft");
  static final OutputTag<Elem> LATE_RIGHT = tag("lateRight");

  private Ports() {}

  /** {@code json}: a rejection, as the functions write it. */
  static void reject(Output<StreamRecord<Elem>> output, String json) {
    output.collect(REJECTED, new StreamRecord<>(Elem.of(json, null)));
  }

  static OutputTag<Elem> tag(String port) {
    return new OutputTag<>(port, Elem.TYPE);
  }
}
