package sluice.flink;

import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;

/**
 * Fetches what records point to (claim checks), as topology/runtime/unfold.ts does: only claims of
 * the reader's own stream, by size and SHA-256. A claim that is missing or altered stays a pointer,
 * which is rejected when it enters; a store that cannot be asked is an error of the read, which is
 * tried again. One record never has more fetched for it than one event can have.
 */
public final class Claims implements Closeable {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final String SCHEME = "claim:";
  private static final byte[] MARK = bytes("\"dataref\":\"" + SCHEME);
  private static final byte[] TAIL = bytes(",\"data\":null}");
  /** `bodyDecodedMaxBytes` of schemas/limits.ts: what the ingress accepts. */
  private static final long DATA_MAX_BYTES = 32L << 20;
  /** After the stream's name: no dots, so that it leads nowhere else. */
  private static final Pattern OWN_PART = Pattern.compile("[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*");
  private static final Pattern SIZE = Pattern.compile("\\d{1,15}");

  private final String stream;
  private final ClaimStore store;

  /** {@code stream}: `team/app`. {@code store}: null without one; pointers then stay what they are. */
  public Claims(String stream, ClaimStore store) {
    this.stream = stream;
    this.store = store;
  }

  private static final class Claim {
    final String ref;
    final long size;
    final String sha256;

    Claim(String ref, long size, String sha256) {
      this.ref = ref;
      this.size = size;
      this.sha256 = sha256;
    }
  }

  /** Sets `data` or `unresolved` of one that points. */
  public void resolve(RawRecord record) throws IOException {
    resolve(List.of(record));
  }

  /** All parts of one record. */
  public void resolve(List<RawRecord> parts) throws IOException {
    if (store == null) return;
    Map<RawRecord, Claim> claims = new HashMap<>();
    long size = 0;
    for (RawRecord part : parts) {
      Claim claim = mayClaim(part.value) ? claimOf(part) : null;
      if (claim == null) continue;
      claims.put(part, claim);
      size += claim.size;
    }
    for (RawRecord part : parts) {
      Claim claim = claims.get(part);
      if (claim == null) continue;
      if (size > DATA_MAX_BYTES)
        part.unresolved = "the data that one record points to has " + size + " bytes; the ingress accepts at most " + DATA_MAX_BYTES;
      else fetch(claim, part);
    }
  }

  private void fetch(Claim claim, RawRecord record) throws IOException {
    String own = SCHEME + stream + "/";
    if (!claim.ref.startsWith(own) || !OWN_PART.matcher(claim.ref.substring(own.length())).matches()) {
      record.unresolved = "claims of this stream begin with " + own;
      return;
    }
    byte[] data = store.get(claim.ref.substring(SCHEME.length()));
    if (data == null)
      record.unresolved = "nothing is stored under that name; data older than the retention was deleted";
    else if (data.length != claim.size)
      record.unresolved = data.length + " bytes are stored, " + claim.size + " were sent";
    else if (!sha256(data).equals(claim.sha256))
      record.unresolved = "the stored data is not what was sent: its SHA-256 differs";
    else record.data = data;
  }

  /** Cheap, and true for nearly none. */
  private static boolean mayClaim(byte[] value) {
    int from = value.length - TAIL.length;
    return from >= 0 && Arrays.equals(value, from, value.length, TAIL, 0, TAIL.length) && hasMark(value);
  }

  private static boolean hasMark(byte[] value) {
    for (int at = 0; at + MARK.length <= value.length; at++)
      if (value[at] == MARK[0] && Arrays.equals(value, at, at + MARK.length, MARK, 0, MARK.length)) return true;
    return false;
  }

  /** Null for what is not a claim: what is wrong with it is said when it enters. */
  private static Claim claimOf(RawRecord record) {
    String ref;
    String size;
    String sha256;
    if (record.headers != null && record.headers.containsKey("ce_specversion")) {
      ref = record.headers.get("ce_dataref");
      size = record.headers.get("ce_datasize");
      sha256 = record.headers.get("ce_datasha256");
    } else {
      JsonNode event = parsed(record.value);
      if (event == null) return null;
      ref = text(event.path("dataref"));
      size = text(event.path("datasize"));
      sha256 = text(event.path("datasha256"));
    }
    if (ref == null || size == null || sha256 == null || !ref.startsWith(SCHEME)) return null;
    Matcher digits = SIZE.matcher(size);
    return digits.matches() ? new Claim(ref, Long.parseLong(size), sha256) : null;
  }

  private static JsonNode parsed(byte[] value) {
    try {
      return MAPPER.readTree(new String(value, StandardCharsets.UTF_8));
    } catch (IOException cause) {
      return null;
    }
  }

  /** An attribute is carried as text. */
  private static String text(JsonNode value) {
    return value.isTextual() || value.isIntegralNumber() ? value.asText() : null;
  }

  private static String sha256(byte[] data) {
    try {
      StringBuilder digits = new StringBuilder();
      for (byte one : MessageDigest.getInstance("SHA-256").digest(data)) digits.append(String.format("%02x", one));
      return digits.toString();
    } catch (NoSuchAlgorithmException cause) {
      throw new IllegalStateException(cause);
    }
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Override
  public void close() throws IOException {
    if (store != null) store.close();
  }
}
