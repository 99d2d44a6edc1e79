package sluice.flink.kinesis;

import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import sluice.flink.Elem;

/** A Kinesis stream: its shards are splits, sequence numbers their positions. */
final class KinesisSource implements Source<Elem, ShardSplit, Shards> {
  private static final long serialVersionUID = 1;
  private final KinesisSettings settings;

  KinesisSource(KinesisSettings settings) {
    this.settings = settings;
  }

  @Override
  public Boundedness getBoundedness() {
    return Boundedness.CONTINUOUS_UNBOUNDED;
  }

  @Override
  public SplitEnumerator<ShardSplit, Shards> createEnumerator(SplitEnumeratorContext<ShardSplit> context) {
    return new ShardEnumerator(settings, context, null);
  }

  @Override
  public SplitEnumerator<ShardSplit, Shards> restoreEnumerator(SplitEnumeratorContext<ShardSplit> context, Shards restored) {
    return new ShardEnumerator(settings, context, restored);
  }

  @Override
  public SourceReader<Elem, ShardSplit> createReader(SourceReaderContext context) {
    return new ShardReader(settings, context);
  }

  @Override
  public SimpleVersionedSerializer<ShardSplit> getSplitSerializer() {
    return Codecs.splits();
  }

  @Override
  public SimpleVersionedSerializer<Shards> getEnumeratorCheckpointSerializer() {
    return Codecs.shards();
  }
}
