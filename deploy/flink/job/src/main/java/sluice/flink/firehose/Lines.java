package sluice.flink.firehose;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import sluice.flink.Elem;

/** A row as the line that is delivered (runtime/delivered-row.ts has all of it but its identity). */
final class Lines {
  /** The key of rows that are delivered; all others go to the fallback. */
  private static final String LINE = "line";
  private static final int ID_BYTES = 16;

  private Lines() {}

  static boolean isLine(Elem row) {
    return LINE.equals(row.key);
  }

  /** With its line feed; {@code order} under 0: it has none. */
  static byte[] of(Elem row, long order) {
    StringBuilder line = new StringBuilder(row.json.length() + 100).append(row.json, 0, row.json.length() - 1);
    line.append(",\"row_id\":\"").append(digest(row.read)).append('"');
    if (order >= 0) line.append(",\"row_order\":").append(order);
    return line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
  }

  /** As enrich/row-id.ts. */
  private static String digest(String identity) {
    try {
      byte[] bytes = MessageDigest.getInstance("SHA-256").digest(identity.getBytes(StandardCharsets.UTF_8));
      StringBuilder hex = new StringBuilder(2 * ID_BYTES);
      for (int i = 0; i < ID_BYTES; i++) hex.append(Character.forDigit((bytes[i] >> 4) & 15, 16)).append(Character.forDigit(bytes[i] & 15, 16));
      return hex.toString();
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
