package sluice.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Sources and sinks of files of lines, for a try on one machine. */
final class LinesConnectors implements JobGraph.Connectors {
  private final JsonNode settings;

  LinesConnectors(JsonNode settings) {
    this.settings = settings;
  }

  @Override
  public SingleOutputStreamOperator<Elem> source(StreamExecutionEnvironment env, JsonNode operator) {
    String uid = operator.get("uid").asText();
    String path = path(settings.path("sources").path(uid), "sources." + uid);
    LinesSource source = new LinesSource(uid, operator.get("stream").asText(), path);
    SingleOutputStreamOperator<Elem> made = env.fromSource(source, WatermarkStrategy.noWatermarks(), uid, Elem.TYPE);
    // One file is one split.
    made.setParallelism(1);
    return made;
  }

  @Override
  public void sink(DataStream<Elem> rows, JsonNode operator) {
    String uid = operator.get("uid").asText();
    write(rows, uid, path(settings.path("sinks").path(uid), "sinks." + uid), true);
  }

  @Override
  public void rejected(DataStream<Elem> rejections) {
    JsonNode connector = settings.path("rejected");
    if (connector.isMissingNode()) throw missing("rejected");
    write(rejections, "rejected elements", path(connector, "rejected"), false);
  }

  private static void write(DataStream<Elem> rows, String uid, String folder, boolean timed) {
    rows.sinkTo(new LinesSink(folder, timed)).uid(uid).name(uid).setParallelism(1);
  }

  private static String path(JsonNode connector, String where) {
    if (connector.isMissingNode()) throw missing(where);
    String kind = connector.path("connector").asText();
    if (!kind.equals("lines"))
      throw new IllegalArgumentException("settings." + where + ": unknown connector '" + kind + "'; there is lines");
    if (!connector.path("path").isTextual())
      throw new IllegalArgumentException("settings." + where + ": expected a path");
    return connector.get("path").asText();
  }

  private static IllegalArgumentException missing(String where) {
    return new IllegalArgumentException("the topology needs settings." + where + ", as {\"connector\": \"lines\", \"path\": \"...\"}");
  }
}
