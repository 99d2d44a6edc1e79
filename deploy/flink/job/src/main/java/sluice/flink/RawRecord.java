package sluice.flink;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;

/**
 * A record of a stream as it came: what a source emits where its connector
 * {@link Connector#givesRecords}. The functions decode it (deploy/flink/runtime/record-forms.ts).
 */
public final class RawRecord {
  /** `kinesis` or `kafka`. */
  public final String route;
  /** As the engine names it: `shardId-000000000000`, or `partition-0-` and the id of its topic. */
  public final String split;
  /** A sequence number or an offset, as decimal digits. */
  public final String position;
  /** When the stream took the record, epoch ms. */
  public final long arrivedAtMs;
  public final byte[] value;
  /** Of a record that is one of several in an aggregate: its number; else -1. */
  public int part = -1;
  /** Empty without one. */
  public String key = "";
  /** Null without any. */
  public Map<String, String> headers;
  /** What a claim check points to, fetched and checked ({@link Claims}); null without. */
  public byte[] data;
  /** Why that cannot be had, as a sentence. */
  public String unresolved;

  public RawRecord(String route, String split, String position, long arrivedAtMs, byte[] value) {
    this.route = route;
    this.split = split;
    this.position = position;
    this.arrivedAtMs = arrivedAtMs;
    this.value = value;
  }

  /** For the operator behind the source. */
  public Elem elem() {
    return new Elem(Elem.RECORD, json(), route + " " + split, position, null);
  }

  String json() {
    StringBuilder json = new StringBuilder(value.length + 256);
    json.append("{\"route\":\"").append(route).append("\",\"split\":");
    Json.quote(split, json);
    json.append(",\"position\":\"").append(position).append('"');
    if (part >= 0) json.append(",\"part\":").append(part);
    json.append(",\"arrivedAtMs\":").append(arrivedAtMs);
    if (!key.isEmpty()) Json.quote(key, json.append(",\"key\":"));
    if (headers != null) headers(json);
    bytes(value, "text", "value", json);
    if (data != null) bytes(data, "dataText", "data", json);
    if (unresolved != null) Json.quote(unresolved, json.append(",\"unresolved\":"));
    return json.append('}').toString();
  }

  private void headers(StringBuilder json) {
    json.append(",\"headers\":{");
    String between = "";
    for (Map.Entry<String, String> header : headers.entrySet()) {
      Json.quote(header.getKey(), json.append(between));
      Json.quote(header.getValue(), json.append(':'));
      between = ",";
    }
    json.append('}');
  }

  /** As text where it is valid UTF-8, else in base64. */
  private static void bytes(byte[] bytes, String asText, String asBase64, StringBuilder json) {
    String text = textOf(bytes);
    json.append(",\"").append(text == null ? asBase64 : asText).append("\":");
    if (text == null) json.append('"').append(Base64.getEncoder().encodeToString(bytes)).append('"');
    else Json.quote(text, json);
  }

  /** Null where bytes are no text. */
  private static String textOf(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.UTF_8);
    // What is no UTF-8 becomes that character, which may also have been written.
    if (text.indexOf('\ufffd') < 0) return text;
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException cause) {
      return null;
    }
  }
}
