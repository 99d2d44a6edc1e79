package sluice.flink;

/** The little of JSON that the job writes and reads itself; values are written by the functions. */
public final class Json {
  private Json() {}

  public static String quote(String text) {
    StringBuilder quoted = new StringBuilder(text.length() + 2);
    quote(text, quoted);
    return quoted.toString();
  }

  /** Appends it. */
  static void quote(String text, StringBuilder to) {
    to.append('"');
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c >= ' ' && c != '"' && c != '\\' && !Character.isSurrogate(c)) continue;
      if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
        i++;
        continue;
      }
      to.append(text, from, i);
      from = i + 1;
      if (c == '"' || c == '\\') to.append('\\').append(c);
      // Half of a pair is no UTF-8.
      else escape(c, to);
    }
    to.append(text, from, text.length()).append('"');
  }

  private static void escape(char c, StringBuilder to) {
    to.append("\\u");
    for (int shift = 12; shift >= 0; shift -= 4) to.append(Character.forDigit((c >> shift) & 15, 16));
  }

  static String unquote(String json) {
    StringBuilder text = new StringBuilder(json.length());
    for (int i = 1; i < json.length() - 1; i++) {
      char c = json.charAt(i);
      if (c != '\\') {
        text.append(c);
        continue;
      }
      c = json.charAt(++i);
      switch (c) {
        case 'n':
          text.append('\n');
          break;
        case 'r':
          text.append('\r');
          break;
        case 't':
          text.append('\t');
          break;
        case 'b':
          text.append('\b');
          break;
        case 'f':
          text.append('\f');
          break;
        case 'u':
          text.append((char) Integer.parseInt(json.substring(i + 1, i + 5), 16));
          i += 4;
          break;
        default:
          text.append(c);
      }
    }
    return text.toString();
  }
}
