package sluice.flink;

import org.apache.flink.util.OutputTag;

/** The outputs of operators beside the first: by the port's name in the plan. */
final class Ports {
  /** What any operator rejects, as JSON. */
  static final OutputTag<Elem> REJECTED = tag("rejected elements");
  static final OutputTag<Elem> LATE = tag("late");
  static final OutputTag<Elem> LATE_LEFT = tag("lateLeft");
  static final OutputTag<Elem> LATE_RIGHT = tag("lateRight");

  private Ports() {}

  static OutputTag<Elem> tag(String port) {
    return new OutputTag<>(port, Elem.TYPE);
  }
}
