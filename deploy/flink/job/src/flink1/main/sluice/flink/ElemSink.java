package sluice.flink;

import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SinkWriter;

/**
 * A sink of elements for Flink 1.20, whose interface still has the method that its runtime no longer
 * calls; 2.x has it no longer (src/flink2).
 */
public interface ElemSink extends Sink<Elem> {
  @Override
  @Deprecated
  default SinkWriter<Elem> createWriter(InitContext context) {
    throw new UnsupportedOperationException("Flink calls createWriter(WriterInitContext) from 1.19 on");
  }
}
