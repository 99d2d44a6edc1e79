package sluice.flink.kafka;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** A partition of one topic, from an offset on. */
final class Partition implements SourceSplit {
  final int number;
  /** Empty where brokers know none. */
  final String topicId;
  /** Of the next record. */
  final long next;

  Partition(int number, String topicId, long next) {
    this.number = number;
    this.topicId = topicId;
    this.next = next;
  }

  /** As the engine names its splits (deploy/streams/kafka/kafka-reader.ts). */
  static String name(int number, String topicId) {
    return "partition-" + number + (topicId.isEmpty() ? "" : "-" + topicId);
  }

  @Override
  public String splitId() {
    return name(number, topicId);
  }

  @Override
  public String toString() {
    return splitId() + " from " + next;
  }

  static final class Serializer implements SimpleVersionedSerializer<Partition> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(Partition partition) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(bytes);
      out.writeInt(partition.number);
      out.writeUTF(partition.topicId);
      out.writeLong(partition.next);
      return bytes.toByteArray();
    }

    @Override
    public Partition deserialize(int version, byte[] bytes) throws IOException {
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
      return new Partition(in.readInt(), in.readUTF(), in.readLong());
    }
  }
}
