package sluice.flink.kinesis;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;

/**
 * Takes apart what several events share: the aggregation format of the Kinesis Producer Library,
 * plain or in gzip. What it does is what schemas/kpl.ts and topology/runtime/unfold.ts do, to the
 * arithmetic of their numbers: MD5 and inflating are too slow in a script engine without a compiler.
 * A test gives both the same records.
 */
final class Unfold {
  /** What a compressed record may be when it is taken apart (`aggregateInflatedMaxBytes`). */
  static final int INFLATED_MAX_BYTES = 2 << 20;
  /** `aggregateMaxRecords` of schemas/kpl.ts. */
  private static final int AGGREGATE_MAX_RECORDS = 16_384;

  private static final byte[] MAGIC = {(byte) 0xf3, (byte) 0x89, (byte) 0x9a, (byte) 0xc2};
  private static final int DIGEST_BYTES = 16;
  private static final int VARINT_MAX_BYTES = 10;

  private Unfold() {}

  /** A record of an aggregate. */
  static final class Part {
    final String key;
    final byte[] value;

    Part(String key, byte[] value) {
      this.key = key;
      this.value = value;
    }
  }

  /** In their order; null for what is a record of its own. */
  static List<Part> parts(byte[] value) {
    List<Part> parts = aggregate(value);
    if (parts != null || value.length < 2 || value[0] != 0x1f || value[1] != (byte) 0x8b) return parts;
    byte[] inflated = Gunzip.inflate(value, INFLATED_MAX_BYTES);
    return inflated == null ? null : aggregate(inflated);
  }

  private static List<Part> aggregate(byte[] value) {
    if (!isFramed(value)) return null;
    Message message = new Message(value, MAGIC.length, value.length - DIGEST_BYTES);
    List<String> keys = new ArrayList<>();
    List<Double> keyIndexes = new ArrayList<>();
    List<byte[]> data = new ArrayList<>();
    while (message.next()) {
      if (!message.isBytes) continue;
      if (message.field == 1) keys.add(text(message.content()));
      if (message.field == 3) {
        Message record = new Message(value, message.start, message.end);
        double keyIndex = Double.NaN;
        byte[] own = null;
        while (record.next()) {
          if (record.field == 1 && record.isNumber) keyIndex = record.number;
          if (record.field == 3 && record.isBytes) own = record.content();
        }
        if (!record.isWhole() || Double.isNaN(keyIndex) || own == null) return null;
        keyIndexes.add(keyIndex);
        data.add(own);
      }
      if (keys.size() > AGGREGATE_MAX_RECORDS || data.size() > AGGREGATE_MAX_RECORDS) return null;
    }
    if (!message.isWhole() || data.isEmpty()) return null;
    List<Part> parts = new ArrayList<>(data.size());
    for (int i = 0; i < data.size(); i++) {
      // The table may come behind the records that point into it.
      if (!(keyIndexes.get(i) < keys.size())) return null;
      parts.add(new Part(keys.get(keyIndexes.get(i).intValue()), data.get(i)));
    }
    return parts;
  }

  private static boolean isFramed(byte[] value) {
    if (value.length < MAGIC.length + DIGEST_BYTES) return false;
    for (int i = 0; i < MAGIC.length; i++) if (value[i] != MAGIC[i]) return false;
    int end = value.length - DIGEST_BYTES;
    try {
      MessageDigest md5 = MessageDigest.getInstance("MD5");
      md5.update(value, MAGIC.length, end - MAGIC.length);
      byte[] digest = md5.digest();
      for (int i = 0; i < DIGEST_BYTES; i++) if (digest[i] != value[end + i]) return false;
      return true;
    } catch (NoSuchAlgorithmException cause) {
      throw new IllegalStateException("every Java has MD5", cause);
    }
  }

  /**
   * The fields of a protobuf message, one after the other. Those of fixed length are passed over. Its
   * numbers are doubles, as those of schemas/kpl.ts: what does not fit one is the same there and here.
   */
  private static final class Message {
    private final byte[] bytes;
    private final int to;
    /** Beyond the end: the message is damaged. */
    private double at;
    private boolean failed;
    double field;
    boolean isNumber;
    boolean isBytes;
    double number;
    int start;
    int end;

    Message(byte[] bytes, int from, int to) {
      this.bytes = bytes;
      this.at = from;
      this.to = to;
    }

    boolean isWhole() {
      return !failed && at == to;
    }

    byte[] content() {
      byte[] content = new byte[end - start];
      System.arraycopy(bytes, start, content, 0, content.length);
      return content;
    }

    private boolean fail() {
      failed = true;
      return false;
    }

    boolean next() {
      isNumber = false;
      isBytes = false;
      if (failed || at >= to) return false;
      double tag = varint();
      field = Math.floor(tag / 8);
      if (!(field >= 1)) return fail();
      switch ((int) (tag % 8)) {
        case 0:
          number = varint();
          isNumber = true;
          return Double.isNaN(number) ? fail() : true;
        case 2:
          double length = varint();
          if (!(at + length <= to)) return fail();
          start = (int) at;
          at += length;
          end = (int) at;
          isBytes = true;
          return true;
        case 1:
          at += 8;
          return true;
        case 5:
          at += 4;
          return true;
        default:
          return fail();
      }
    }

    private double varint() {
      double value = 0;
      double unit = 1;
      for (int i = 0; i < VARINT_MAX_BYTES; i++, unit *= 0x80) {
        if (at >= to) {
          at++;
          return Double.NaN;
        }
        int next = bytes[(int) at++] & 0xff;
        value += (next & 0x7f) * unit;
        if (next < 0x80) return value;
      }
      return Double.NaN;
    }
  }

  /** UTF-8 as a Buffer of Node decodes it: https://encoding.spec.whatwg.org/#utf-8-decoder */
  static String text(byte[] bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException damaged) {
      return replaced(bytes);
    }
  }

  private static String replaced(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    int point = 0;
    int needed = 0;
    int least = 0x80;
    int most = 0xbf;
    for (int i = 0; i < bytes.length; i++) {
      int next = bytes[i] & 0xff;
      if (needed > 0) {
        boolean continues = next >= least && next <= most;
        least = 0x80;
        most = 0xbf;
        if (continues) {
          point = point << 6 | next & 0x3f;
          if (--needed == 0) text.appendCodePoint(point);
          continue;
        }
        needed = 0;
        text.append('\ufffd');
      }
      if (next < 0x80) text.append((char) next);
      else if (next < 0xc2 || next > 0xf4) text.append('\ufffd');
      else {
        needed = next < 0xe0 ? 1 : next < 0xf0 ? 2 : 3;
        point = next & (0x3f >> needed);
        if (next == 0xe0) least = 0xa0;
        if (next == 0xed) most = 0x9f;
        if (next == 0xf0) least = 0x90;
        if (next == 0xf4) most = 0x8f;
      }
    }
    if (needed > 0) text.append('\ufffd');
    return text.toString();
  }
}
