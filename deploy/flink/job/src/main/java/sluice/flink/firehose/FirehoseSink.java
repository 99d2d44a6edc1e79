package sluice.flink.firehose;

import java.io.IOException;
import java.util.Collection;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import sluice.flink.Elem;
import sluice.flink.ElemSink;
import sluice.flink.OrderSerializer;

/**
 * A table that Firehose delivers: what a checkpoint covers was taken by Firehose before the checkpoint
 * is complete. Rows since the last one come again after a failure, under the same row_id.
 */
final class FirehoseSink implements ElemSink, SupportsWriterState<Elem, Long> {
  private static final long serialVersionUID = 1;
  private final Stream stream;
  /** Whether rows have a number that says which of a key came last. */
  private final boolean ordered;

  FirehoseSink(Stream stream, boolean ordered) {
    this.stream = stream;
    this.ordered = ordered;
  }

  @Override
  public SinkWriter<Elem> createWriter(WriterInitContext context) throws IOException {
    return new DeliveryWriter(stream, ordered, 0);
  }

  @Override
  public StatefulSinkWriter<Elem, Long> restoreWriter(WriterInitContext context, Collection<Long> orders) throws IOException {
    return new DeliveryWriter(stream, ordered, orders.stream().mapToLong(Long::longValue).max().orElse(0));
  }

  @Override
  public SimpleVersionedSerializer<Long> getWriterStateSerializer() {
    return new OrderSerializer();
  }
}
