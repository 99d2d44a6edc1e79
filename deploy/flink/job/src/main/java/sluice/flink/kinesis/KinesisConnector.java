package sluice.flink.kinesis;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import sluice.flink.Connector;
import sluice.flink.Elem;
import sluice.flink.Place;

/** A Kinesis stream as a source. */
public final class KinesisConnector implements Connector {
  @Override
  public String name() {
    return "kinesis";
  }

  @Override
  public boolean givesRecords() {
    return true;
  }

  @Override
  public SingleOutputStreamOperator<Elem> source(StreamExecutionEnvironment env, Place place) {
    KinesisSource source = new KinesisSource(new KinesisSettings(place));
    return env.fromSource(source, WatermarkStrategy.noWatermarks(), place.uid, Elem.TYPE);
  }
}
