package sluice.flink.parquet;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** A file that readers do not see yet, and where they will. Paths in the lake. */
final class Staged {
  final String staged;
  final String target;

  Staged(String staged, String target) {
    this.staged = staged;
    this.target = target;
  }

  static final class Serializer implements SimpleVersionedSerializer<Staged> {
    private static final int VERSION = 1;

    @Override
    public int getVersion() {
      return VERSION;
    }

    @Override
    public byte[] serialize(Staged file) throws IOException {
      ByteArrayOutputStream bytes = new ByteArrayOutputStream();
      DataOutputStream out = new DataOutputStream(bytes);
      out.writeUTF(file.staged);
      out.writeUTF(file.target);
      return bytes.toByteArray();
    }

    @Override
    public Staged deserialize(int version, byte[] bytes) throws IOException {
      if (version != VERSION) throw new IOException("unknown version " + version + " of a staged file");
      DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes));
      return new Staged(in.readUTF(), in.readUTF());
    }
  }
}
