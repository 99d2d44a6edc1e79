package sluice.flink;

import org.apache.flink.api.connector.sink2.Sink;

/** A sink of elements for Flink 2.x; for 1.20 it needs one method more (src/flink1). */
public interface ElemSink extends Sink<Elem> {}
