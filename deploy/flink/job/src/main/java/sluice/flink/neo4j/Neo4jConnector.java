package sluice.flink.neo4j;

import org.apache.flink.streaming.api.datastream.DataStream;
import sluice.flink.Connector;
import sluice.flink.Elem;
import sluice.flink.Place;

/** Graphs in Neo4j, by the engine's statements and books, committed with checkpoints. */
public final class Neo4jConnector implements Connector {
  @Override
  public String name() {
    return "neo4j";
  }

  @Override
  public void sink(DataStream<Elem> rows, Place place) {
    GraphSink sink = new GraphSink(place.program, place.operator.get("uid").asText(), new Access(place));
    // One: writes of several at once meet in deadlocks, and their chunks have one order.
    rows.sinkTo(sink).uid(place.uid).name(place.uid).setParallelism(1);
  }
}
