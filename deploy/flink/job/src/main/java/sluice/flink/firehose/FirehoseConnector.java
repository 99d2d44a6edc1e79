package sluice.flink.firehose;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamSink;
import sluice.flink.Connector;
import sluice.flink.Elem;
import sluice.flink.Place;

/** Tables that Firehose delivers: rows as the engine's lines, at least once. */
public final class FirehoseConnector implements Connector {
  @Override
  public String name() {
    return "firehose";
  }

  @Override
  public String rowForm() {
    return "delivered";
  }

  @Override
  public void sink(DataStream<Elem> rows, Place place) {
    boolean ordered = place.operator.path("sink").has("upsert");
    Stream stream = new Stream(place);
    DataStreamSink<Elem> written = rows.filter(Lines::isLine).sinkTo(new FirehoseSink(stream, ordered)).uid(place.uid).name(place.uid);
    // Which row of a key came last is one count.
    if (ordered) written.setParallelism(1);
    place.sink("fallback", rows.filter(row -> !Lines.isLine(row)));
  }
}
