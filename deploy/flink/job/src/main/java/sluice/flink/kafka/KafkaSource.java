package sluice.flink.kafka;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import sluice.flink.Elem;

/**
 * A topic of Kafka, its partitions as splits, offsets as positions. It is not the connector of Flink,
 * whose reader does not say in line which splits it has and where their ends were found: event time
 * per split, as the engine makes it, needs both. Only what is committed is read.
 */
final class KafkaSource implements Source<Elem, Partition, KnownTopic> {
  private static final long serialVersionUID = 1;
  private final KafkaSettings settings;

  KafkaSource(KafkaSettings settings) {
    this.settings = settings;
  }

  @Override
  public Boundedness getBoundedness() {
    return Boundedness.CONTINUOUS_UNBOUNDED;
  }

  @Override
  public SplitEnumerator<Partition, KnownTopic> createEnumerator(SplitEnumeratorContext<Partition> context) {
    return new KafkaEnumerator(settings, context, null);
  }

  @Override
  public SplitEnumerator<Partition, KnownTopic> restoreEnumerator(SplitEnumeratorContext<Partition> context, KnownTopic known) {
    return new KafkaEnumerator(settings, context, known);
  }

  @Override
  public SourceReader<Elem, Partition> createReader(SourceReaderContext context) {
    return new KafkaReader(settings);
  }

  @Override
  public SimpleVersionedSerializer<Partition> getSplitSerializer() {
    return new Partition.Serializer();
  }

  @Override
  public SimpleVersionedSerializer<KnownTopic> getEnumeratorCheckpointSerializer() {
    return new KnownTopic.Serializer();
  }
}
