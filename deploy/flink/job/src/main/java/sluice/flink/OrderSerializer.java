package sluice.flink;

import java.nio.ByteBuffer;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** The last `row_order` that a writer of a table by key gave, in its state. */
public final class OrderSerializer implements SimpleVersionedSerializer<Long> {
  @Override
  public int getVersion() {
    return 1;
  }

  @Override
  public byte[] serialize(Long order) {
    return ByteBuffer.allocate(Long.BYTES).putLong(order).array();
  }

  @Override
  public Long deserialize(int version, byte[] bytes) {
    return ByteBuffer.wrap(bytes).getLong();
  }
}
