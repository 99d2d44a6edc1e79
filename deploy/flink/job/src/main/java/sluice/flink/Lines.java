package sluice.flink;

/** The lines that a function gave, one after the other (deploy/flink/runtime/wire.ts). */
final class Lines {
  private final String text;
  private int at;

  Lines(String text) {
    this.text = text;
  }

  boolean hasNext() {
    return at < text.length();
  }

  String next() {
    int end = text.indexOf('\n', at);
    if (end < 0) end = text.length();
    String line = text.substring(at, end);
    at = end + 1;
    return line;
  }

  /** Null for a line that is empty. */
  String nextOrNull() {
    String line = next();
    return line.isEmpty() ? null : line;
  }

  /** A key: a JSON string where it has line breaks. */
  String nextKey() {
    String line = next();
    if (line.isEmpty() || line.charAt(0) != '"') return line;
    return Json.unquote(line);
  }
}
