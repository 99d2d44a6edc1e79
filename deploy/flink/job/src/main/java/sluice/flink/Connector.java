package sluice.flink;

import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * A kind of place that sources read or sinks write, as the settings name it. What its settings may
 * be is in deploy/flink/connectors; they were checked there, and are trusted here no more than that.
 */
public interface Connector {
  /** `connector` in the settings. */
  String name();

  /**
   * What a source reads here, without watermarks: events ({@link Elem#of}) or records as they came
   * ({@link RawRecord#elem}), and what is said of their splits ({@link Splits}). The uid of its operator
   * is {@link Place#uid}.
   */
  default SingleOutputStreamOperator<Elem> source(StreamExecutionEnvironment env, Place place) {
    throw place.unable("a source");
  }

  /** Whether a source gives records ({@link RawRecord}), which are decoded behind it. */
  default boolean givesRecords() {
    return false;
  }

  /**
   * How the rows of a sink are sent (deploy/flink/runtime/sink.ts): `rows`, or `columns` with a folder as
   * key, the cells as JSON and, of tables that have it, what a row's id is a digest of; or `delivered`,
   * a line where it can be one, else a row in the form of the connector in the setting `fallback`.
   */
  default String rowForm() {
    return "rows";
  }

  /** Writes the rows of a sink: an element's JSON is the row, its timestamp the row's. */
  default void sink(DataStream<Elem> rows, Place place) {
    throw place.unable("a sink");
  }

  /**
   * What is passed on to {@link #rejected} of what one operator rejects: made beside it, so in its
   * order. {@code from}: its uid. An element's JSON is one rejection (runtime/wire.ts).
   */
  default DataStream<Elem> rejecting(DataStream<Elem> rejections, Place place, String from) {
    return rejections;
  }

  /** Writes what all operators rejected, as {@link #rejecting} passed it on. */
  default void rejected(DataStream<Elem> rejections, Place place) {
    throw place.unable("the place of rejected elements");
  }
}
