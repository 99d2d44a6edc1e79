package sluice.flink.kafka;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import sluice.flink.Connector;
import sluice.flink.Elem;
import sluice.flink.Place;

/** A topic of Kafka, as the large route of the ingress writes it. */
public final class KafkaConnector implements Connector {
  @Override
  public String name() {
    return "kafka";
  }

  @Override
  public boolean givesRecords() {
    return true;
  }

  @Override
  public SingleOutputStreamOperator<Elem> source(StreamExecutionEnvironment env, Place place) {
    KafkaSettings settings = new KafkaSettings(place);
    return env.fromSource(new KafkaSource(settings), WatermarkStrategy.noWatermarks(), place.uid, Elem.TYPE);
  }
}
