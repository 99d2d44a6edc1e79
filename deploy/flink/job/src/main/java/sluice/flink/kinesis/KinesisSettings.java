package sluice.flink.kinesis;

import java.io.Serializable;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import sluice.flink.Place;

/** What a source is told of its stream, as deploy/flink/connectors/kinesis.ts describes it. */
final class KinesisSettings implements Serializable {
  private static final long serialVersionUID = 1;

  /** GetRecords gives no more, a quota of Kinesis. */
  private static final int READ_MAX_RECORDS = 10_000;
  private static final int MEBI = 1 << 20;

  /** The id of the source in its topology. */
  final String source;
  final String where;
  /** `team/app`. */
  final String topologyStream;
  /** Where the data of claims is, as JSON; null without a store. */
  final String claims;
  /** Of Kinesis. */
  final String stream;
  /** Null: the default chain's. */
  final String region;
  /** Null: the region's. */
  final String endpoint;
  /** Where shards begin that no state knows. */
  final String from;
  /** By shard: where reading continues instead, behind that sequence number. */
  final TreeMap<String, String> positions = new TreeMap<>();
  /** Whether one whose next records are no longer kept continues with the oldest that is. */
  final boolean skipsTrimmed;
  final int readMaxRecords;
  /** Of records that were fetched and not emitted yet, for each reader. */
  final int bufferMaxBytes;
  /** Between two reads of a shard that has more, and of one whose end was found. */
  final long readEveryMs;
  final long idleReadEveryMs;
  final long discoveryMs;

  KinesisSettings(Place place) {
    source = place.operator.get("uid").asText();
    where = place.where;
    topologyStream = place.operator.path("stream").asText();
    claims = place.setting("claims").isObject() ? place.setting("claims").toString() : null;
    stream = place.text("stream");
    region = place.text("region", null);
    endpoint = place.text("endpoint", null);
    JsonNode start = place.setting("from");
    from = start.isObject() ? "earliest" : place.text("from", "earliest");
    for (Iterator<Map.Entry<String, JsonNode>> each = start.path("positions").fields(); each.hasNext(); ) {
      Map.Entry<String, JsonNode> one = each.next();
      positions.put(one.getKey(), one.getValue().asText());
    }
    Start.of(from, where, 0);
    skipsTrimmed = place.text("whenTrimmed", "fail").equals("oldest");
    readMaxRecords = (int) Math.min(READ_MAX_RECORDS, place.number("readMaxRecords", READ_MAX_RECORDS));
    bufferMaxBytes = (int) Math.min(1_024, place.number("bufferMaxMb", 32)) * MEBI;
    readEveryMs = place.number("readEveryMs", 250);
    idleReadEveryMs = place.number("idleReadEveryMs", 1_000);
    discoveryMs = place.number("discoveryMs", 30_000);
  }
}
