package sluice.flink;

/** Event time at the border: its ends are no numbers there (topology/time/time-bounds.ts). */
final class Times {
  static final long MIN = Long.MIN_VALUE;
  static final long MAX = Long.MAX_VALUE;
  /** The largest whole number that a function can be given. */
  static final long MAX_SAFE = (1L << 53) - 1;

  private Times() {}

  /** A number as a function takes it: JavaScript has doubles. */
  static Object encode(long time) {
    if (time == MIN) return "min";
    return time == MAX ? (Object) "max" : (Object) (double) time;
  }

  static String text(long time) {
    if (time == MIN) return "\"min\"";
    return time == MAX ? "\"max\"" : Long.toString(time);
  }

  static long decode(String text) {
    if (text.equals("min")) return MIN;
    return text.equals("max") ? MAX : Long.parseLong(text);
  }
}
