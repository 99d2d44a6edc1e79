package sluice.flink.kafka;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Collections;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ExecutionException;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.Uuid;

/** The topic as far as its partitions were given to readers. Immutable. */
final class KnownTopic {
  /** Empty where brokers know none. */
  final String id;
  final Set<Integer> partitions;

  KnownTopic(String id, Set<Integer> partitions) {
    this.id = id;
    this.partitions = Collections.unmodifiableSet(new TreeSet<>(partitions));
  }

  /** As brokers describe it now. Throws where there is none, or they cannot be asked. */
  static KnownTopic now(Admin admin, KafkaSettings settings) throws IOException, InterruptedException {
    try {
      TopicDescription topic = admin.describeTopics(Set.of(settings.topic)).allTopicNames().get().get(settings.topic);
      boolean hasId = topic.topicId() != null && !topic.topicId().equals(Uuid.ZERO_UUID);
      Set<Integer> partitions = new TreeSet<>();
      for (TopicPartitionInfo partition : topic.partitions()) partitions.add(partition.partition());
      return new KnownTopic(hasId ? topic.topicId().toString() : "", partitions);
    } catch (ExecutionException thrown) {
      throw settings.unseen(thrown.getCause());
    }
  }

  static final class Serializer implements SimpleVersionedSerializer<KnownTopic> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(KnownTopic topic) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(bytes);
      out.writeBoolean(topic != null);
      if (topic == null) return bytes.toByteArray();
      out.writeUTF(topic.id);
      out.writeInt(topic.partitions.size());
      for (int partition : topic.partitions) out.writeInt(partition);
      return bytes.toByteArray();
    }

    /** Null of a snapshot before the topic was looked at. */
    @Override
    public KnownTopic deserialize(int version, byte[] bytes) throws IOException {
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
      if (!in.readBoolean()) return null;
      String id = in.readUTF();
      Set<Integer> partitions = new TreeSet<>();
      for (int left = in.readInt(); left > 0; left--) partitions.add(in.readInt());
      return new KnownTopic(id, partitions);
    }
  }
}
