package sluice.flink.kinesis;

import java.io.ByteArrayOutputStream;
import java.util.zip.CRC32;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;

/**
 * Inflates gzip as `gunzipSync` of Node does (RFC 1952): members one after the other, each checked;
 * what begins with a zero behind one is padding. Java's own stream passes over what is damaged
 * behind the first member.
 */
final class Gunzip {
  private static final int HEAD_BYTES = 10;
  private static final int TRAILER_BYTES = 8;
  private static final int CHUNK_BYTES = 16 << 10;

  private final byte[] bytes;
  private final int maxBytes;
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int at;

  private Gunzip(byte[] bytes, int maxBytes) {
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }

  /** Null where it is damaged, or more than {@code maxBytes}. */
  static byte[] inflate(byte[] bytes, int maxBytes) {
    Gunzip all = new Gunzip(bytes, maxBytes);
    do {
      if (!all.member()) return null;
    } while (all.at < bytes.length && bytes[all.at] != 0);
    return all.out.toByteArray();
  }

  private boolean member() {
    if (!head()) return false;
    CRC32 crc = new CRC32();
    Inflater inflater = new Inflater(true);
    long size = 0;
    try {
      inflater.setInput(bytes, at, bytes.length - at);
      byte[] chunk = new byte[CHUNK_BYTES];
      while (!inflater.finished()) {
        int count = inflater.inflate(chunk);
        if (count == 0 && !inflater.finished()) return false;
        if (out.size() + count > maxBytes) return false;
        crc.update(chunk, 0, count);
        out.write(chunk, 0, count);
        size += count;
      }
      at += (int) inflater.getBytesRead();
    } catch (DataFormatException damaged) {
      return false;
    } finally {
      inflater.end();
    }
    if (at + TRAILER_BYTES > bytes.length) return false;
    boolean isRight = number(at, 4) == crc.getValue() && number(at + 4, 4) == (size & 0xffff_ffffL);
    at += TRAILER_BYTES;
    return isRight;
  }

  /** Goes past the head of a member. */
  private boolean head() {
    int from = at;
    if (at + HEAD_BYTES > bytes.length) return false;
    int flags = bytes[at + 3] & 0xff;
    if (number(at, 2) != 0x8b1f || bytes[at + 2] != 8 || (flags & 0xe0) != 0) return false;
    at += HEAD_BYTES;
    if ((flags & 4) != 0) {
      if (at + 2 > bytes.length) return false;
      at += 2 + (int) number(at, 2);
    }
    for (int text = 8; text <= 16; text <<= 1) {
      if ((flags & text) == 0) continue;
      while (at < bytes.length && bytes[at] != 0) at++;
      at++;
    }
    if (at > bytes.length) return false;
    if ((flags & 2) == 0) return true;
    if (at + 2 > bytes.length) return false;
    CRC32 crc = new CRC32();
    crc.update(bytes, from, at - from);
    at += 2;
    return number(at - 2, 2) == (crc.getValue() & 0xffff);
  }

  private long number(int from, int count) {
    long number = 0;
    for (int i = count - 1; i >= 0; i--) number = number << 8 | bytes[from + i] & 0xff;
    return number;
  }
}
