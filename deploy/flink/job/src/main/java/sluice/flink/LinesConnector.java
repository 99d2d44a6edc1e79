package sluice.flink;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Files of lines, for a try on one machine. */
final class LinesConnector implements Connector {
  @Override
  public String name() {
    return "lines";
  }

  @Override
  public SingleOutputStreamOperator<Elem> source(StreamExecutionEnvironment env, Place place) {
    String stream = place.operator.get("stream").asText();
    LinesSource source = new LinesSource(place.operator.get("uid").asText(), stream, place.text("path"));
    SingleOutputStreamOperator<Elem> made = env.fromSource(source, WatermarkStrategy.noWatermarks(), place.uid, Elem.TYPE);
    // One file is one split.
    made.setParallelism(1);
    return made;
  }

  @Override
  public void sink(DataStream<Elem> rows, Place place) {
    write(rows, place, true);
  }

  @Override
  public void rejected(DataStream<Elem> rejections, Place place) {
    write(rejections, place, false);
  }

  private static void write(DataStream<Elem> rows, Place place, boolean timed) {
    rows.sinkTo(new LinesSink(place.text("path"), timed)).uid(place.uid).name(place.uid).setParallelism(1);
  }
}
