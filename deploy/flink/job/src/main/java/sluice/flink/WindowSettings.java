package sluice.flink;

import java.io.Serializable;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;

/** The settings of a window, and the formulas of topology/time/windows.ts. */
final class WindowSettings implements Serializable {
  private static final long serialVersionUID = 1;

  final String uid;
  final String type;
  final long lengthMs;
  final long slideMs;
  final long offsetMs;
  final long allowedLatenessMs;
  final long earlyMs;
  final boolean discarding;
  final boolean lateToSide;

  WindowSettings(JsonNode operator) {
    JsonNode window = operator.get("window");
    uid = operator.get("uid").asText();
    type = window.get("type").asText();
    lengthMs = window.get(isSession() ? "gapMs" : "sizeMs").asLong();
    slideMs = type.equals("sliding") ? window.get("slideMs").asLong() : lengthMs;
    offsetMs = window.path("offsetMs").asLong(0);
    allowedLatenessMs = operator.get("allowedLatenessMs").asLong();
    earlyMs = operator.get("earlyMs").asLong();
    discarding = operator.get("mode").asText().equals("discarding");
    lateToSide = operator.get("late").asText().equals("side");
  }

  boolean isSession() {
    return type.equals("session");
  }

  /** Of the windows that an element is in, latest first. */
  long[] starts(long at) {
    if (isSession()) return new long[] {at};
    long last = at - Math.floorMod(at - offsetMs, slideMs);
    int count = 0;
    for (long start = last; start > at - lengthMs; start -= slideMs) count++;
    long[] starts = new long[count];
    for (int i = 0; i < count; i++) starts[i] = last - i * slideMs;
    return starts;
  }

  /** When a window of this end is removed; MAX: never. */
  long cleanup(long end) {
    long at = end - 1 + allowedLatenessMs;
    return at > Times.MAX_SAFE ? Times.MAX : at;
  }

  long firstEarly(long at) {
    return at - Math.floorMod(at, earlyMs) + earlyMs;
  }
}
