package sluice.flink.kinesis;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** How splits and the enumerator's state are written into checkpoints and savepoints. */
final class Codecs {
  private static final int VERSION = 1;

  private Codecs() {}

  private interface Writes<T> {
    void write(T value, DataOutputStream out) throws IOException;
  }

  private interface Reads<T> {
    T read(DataInputStream in) throws IOException;
  }

  private static final class Codec<T> implements SimpleVersionedSerializer<T> {
    private final Writes<T> writes;
    private final Reads<T> reads;

    Codec(Writes<T> writes, Reads<T> reads) {
      this.writes = writes;
      this.reads = reads;
    }

    @Override
    public int getVersion() {
      return VERSION;
    }

    @Override
    public byte[] serialize(T value) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      writes.write(value, new DataOutputStream(bytes));
      return bytes.toByteArray();
    }

    @Override
    public T deserialize(int version, byte[] bytes) throws IOException {
      if (version != VERSION)
        throw new IOException("the state of a Kinesis source has version " + version + ", and this job reads " + VERSION);
      return reads.read(new DataInputStream(new ByteArrayInputStream(bytes)));
    }
  }

  static SimpleVersionedSerializer<ShardSplit> splits() {
    return new Codec<>(Codecs::writeSplit, Codecs::readSplit);
  }

  static SimpleVersionedSerializer<Shards> shards() {
    return new Codec<>(Codecs::writeShards, Codecs::readShards);
  }

  private static void writeSplit(ShardSplit split, DataOutputStream out) throws IOException {
    out.writeUTF(split.splitId());
    out.writeInt(split.parents.size());
    for (String parent : split.parents) out.writeUTF(parent);
    writeText(split.begins, out);
    writeText(split.position, out);
    out.writeUTF(split.from.kind.name());
    out.writeLong(split.from.atMs);
    out.writeLong(split.readToMs);
    out.writeBoolean(split.ended);
  }

  private static ShardSplit readSplit(DataInputStream in) throws IOException {
    String id = in.readUTF();
    List<String> parents = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--) parents.add(in.readUTF());
    String begins = readText(in);
    String position = readText(in);
    Start from = new Start(Start.Kind.valueOf(in.readUTF()), in.readLong());
    return new ShardSplit(id, parents, begins, position, from, in.readLong(), in.readBoolean());
  }

  private static void writeShards(Shards shards, DataOutputStream out) throws IOException {
    out.writeInt(shards.all.size());
    for (Shards.Known known : shards.all) {
      writeSplit(known.split, out);
      out.writeUTF(known.phase.name());
    }
  }

  private static Shards readShards(DataInputStream in) throws IOException {
    List<Shards.Known> all = new ArrayList<>();
    for (int left = in.readInt(); left > 0; left--)
      all.add(new Shards.Known(readSplit(in), Shards.Phase.valueOf(in.readUTF())));
    return new Shards(all);
  }

  private static void writeText(String text, DataOutputStream out) throws IOException {
    out.writeBoolean(text != null);
    if (text != null) out.writeUTF(text);
  }

  private static String readText(DataInputStream in) throws IOException {
    return in.readBoolean() ? in.readUTF() : null;
  }
}
