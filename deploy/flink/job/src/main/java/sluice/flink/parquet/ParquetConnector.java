package sluice.flink.parquet;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.UUID;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import sluice.flink.Scripted;
import sluice.flink.Connector;
import sluice.flink.Elem;
import sluice.flink.Functions;
import sluice.flink.Place;

/** Tables in the lake, and the rejected one: the same files as the engine's. */
public final class ParquetConnector implements Connector {
  private static final ObjectMapper MAPPER = new ObjectMapper();
  /** Open rows of one part of a sink, as text, before files are made of them. */
  private static final long MAX_BYTES = 32 << 20;
  /** Folders that one part has open rows of. */
  private static final int MAX_PARTITIONS = 1024;

  @Override
  public String name() {
    return "parquet";
  }

  @Override
  public String rowForm() {
    return "columns";
  }

  @Override
  public void sink(DataStream<Elem> rows, Place place) {
    TableSink sink = described(place, false, "table", place.operator.get("uid").asText());
    DataStreamSink<Elem> made = rows.sinkTo(sink).uid(place.uid).name(place.uid);
    // The order of a key's rows is that in which one part gets them.
    if (sink.layout.order) made.setParallelism(1).setMaxParallelism(1);
    else if (place.number("parallelism", 0) > 0) made.setParallelism((int) place.number("parallelism", 0));
  }

  @Override
  public DataStream<Elem> rejecting(DataStream<Elem> rejections, Place place, String from) {
    String uid = place.uid + "/rows/" + from;
    return rejections.process(new RejectedRows(place.program), Elem.TYPE).uid(uid).name(uid).setParallelism(rejections.getParallelism());
  }

  @Override
  public void rejected(DataStream<Elem> rejections, Place place) {
    TableSink sink = described(place, true, "rejectedTable");
    rejections
        .keyBy(elem -> elem.key, Types.STRING)
        .process(new RejectedSeen(), Elem.TYPE)
        .uid(place.uid + "/seen")
        .name(place.uid + "/seen")
        .keyBy(elem -> elem.key, Types.STRING)
        .transform(place.uid + "/files", Elem.TYPE, new RejectedFiles(sink.prefix))
        .uid(place.uid + "/files")
        .sinkTo(sink)
        .uid(place.uid)
        .name(place.uid);
  }

  /** The sink of a table, whose description is there from now on. */
  private static TableSink described(Place place, boolean whole, String kind, Object... of) {
    Lake lake = new Lake(place.text("path"));
    try (Functions functions = Functions.acquire(place.program)) {
      Scripted table = functions.of(kind, of);
      JsonNode told = MAPPER.readTree(table.text("layout"));
      Layout layout = new Layout(told);
      describe(lake, layout, table, place.where);
      String prefix = told.get("prefix").asText();
      long maxBytes = place.number("openMaxBytes", MAX_BYTES);
      return new TableSink(lake, layout, prefix, whole, maxBytes, (int) place.number("openMaxFolders", MAX_PARTITIONS));
    } catch (IOException failed) {
      throw new UncheckedIOException("settings." + place.where + ".path: " + failed.getMessage(), failed);
    }
  }

  /** As enrich/lake/table-file.ts: the file of columns is there before the description that relies on it. */
  private static void describe(Lake lake, Layout layout, Scripted table, String where) throws IOException {
    byte[] found = lake.read(layout.description);
    String before = found == null ? "" : new String(found, StandardCharsets.UTF_8);
    JsonNode next = described(table, before, true);
    if (next.get("changed").asBoolean() && !lake.hasRows(layout.table, layout.columnsFile)) next = described(table, before, false);
    if (!next.get("problem").isNull()) throw new IllegalArgumentException("settings." + where + ".path: " + next.get("problem").asText());
    String text = next.get("text").asText();
    if (text.equals(before)) return;
    byte[] columns = ParquetBytes.of(Layout.columns(next.get("columns")), List.of());
    lake.replace(layout.columnsFile, columns, staged());
    lake.replace(layout.description, text.getBytes(StandardCharsets.UTF_8), staged());
  }

  private static JsonNode described(Scripted table, String before, boolean hasRows) throws IOException {
    return MAPPER.readTree(table.text("describe", before, hasRows));
  }

  private static String staged() {
    return ".staging/" + UUID.randomUUID();
  }
}
