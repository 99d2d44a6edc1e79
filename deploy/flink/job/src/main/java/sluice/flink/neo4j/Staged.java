package sluice.flink.neo4j;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * The writes of one checkpoint, until they are committed. There is one for each checkpoint, also
 * without writes: so whoever resumes knows whose it is, and how far the graph must be.
 */
final class Staged {
  private static final int LINEAGE_CHARS = 10;

  /** Of the writer that made it: another one for each of its starts. */
  final String lineage;
  /** Counts checkpoints that have writes, from 1, through all starts; that of the last one where this has none. */
  final long number;
  /** Each the JSON of an array of writes, packed; applied in one transaction. */
  final List<byte[]> chunks;

  Staged(String lineage, long number, List<byte[]> chunks) {
    this.lineage = lineage;
    this.number = number;
    this.chunks = chunks;
  }

  static String newLineage() {
    return UUID.randomUUID().toString().replace("-", "").substring(0, LINEAGE_CHARS);
  }

  /** Of a start without a checkpoint. */
  static Staged first() {
    return new Staged(newLineage(), 0, List.of());
  }

  static byte[] pack(String chunk) {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    Deflater fast = new Deflater(Deflater.BEST_SPEED);
    try (DeflaterOutputStream out = new DeflaterOutputStream(packed, fast)) {
      out.write(chunk.getBytes(StandardCharsets.UTF_8));
    } catch (IOException impossible) {
      throw new IllegalStateException(impossible);
    } finally {
      fast.end();
    }
    return packed.toByteArray();
  }

  static String unpack(byte[] packed) throws IOException {
    try (InflaterInputStream in = new InflaterInputStream(new ByteArrayInputStream(packed))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** Also of a writer's place, which is one without chunks. */
  static final class Serializer implements SimpleVersionedSerializer<Staged> {
    @Override
    public int getVersion() {
      return 1;
    }

    @Override
    public byte[] serialize(Staged staged) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(bytes);
      out.writeUTF(staged.lineage);
      out.writeLong(staged.number);
      out.writeInt(staged.chunks.size());
      for (byte[] chunk : staged.chunks) {
        out.writeInt(chunk.length);
        out.write(chunk);
      }
      return bytes.toByteArray();
    }

    @Override
    public Staged deserialize(int version, byte[] bytes) throws IOException {
      if (version != getVersion())
        throw new IOException("writes of a graph in form " + version + ", expected " + getVersion() + ": restore with the job's version that wrote them");
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
      String lineage = in.readUTF();
      long number = in.readLong();
      int count = in.readInt();
      List<byte[]> chunks = new ArrayList<>();
      for (int i = 0; i < count; i++) {
        byte[] chunk = new byte[in.readInt()];
        in.readFully(chunk);
        chunks.add(chunk);
      }
      return new Staged(lineage, number, chunks);
    }
  }
}
