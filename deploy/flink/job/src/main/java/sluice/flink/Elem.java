package sluice.flink;

import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.serialization.SerializerConfig;
import org.apache.flink.api.common.typeinfo.TypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInfoFactory;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.types.StringValue;

/**
 * What flows between operators: an element, or before event time is set what is said of a source's
 * splits. Immutable; its time is the StreamRecord's.
 */
@TypeInfo(Elem.InfoFactory.class)
public final class Elem {
  /** Of an element; the others are those of topology/operators/batch.ts. */
  public static final byte ELEMENT = 0;
  static final byte WATERMARK = 1;
  static final byte IDLE = 2;
  static final byte ACTIVE = 3;
  static final byte TICK = 4;
  public static final byte SPLIT = 5;
  static final byte SPLIT_END = 6;
  static final byte CLOCK = 7;
  public static final byte SPLITS = 8;
  /**
   * Of the job alone: a record of a stream that is not decoded yet ({@link RawRecord}). Its `key` is
   * its route and split, its `read` its position.
   */
  static final byte RECORD = 9;
  /** Of the job alone: what readers say of their splits (deploy/flink/runtime/split-readers.ts). */
  static final byte HEARD = 10;
  static final byte READS = 11;

  public final byte kind;
  /** The value as JSON; null where nothing behind reads it. */
  public final String json;
  /** The canonical text of the key of the node that it goes to, or null. */
  public final String key;
  /** What that node's aggregates read of the value, as a JSON array; or why it has no key. */
  public final String read;
  /** Where it is from, as JSON, or null. */
  public final String origin;

  Elem(byte kind, String json, String key, String read, String origin) {
    this.kind = kind;
    this.json = json;
    this.key = key;
    this.read = read;
    this.origin = origin;
  }

  public static Elem of(String json, String origin) {
    return new Elem(ELEMENT, json, null, null, origin);
  }

  /** What an operator of a connector sends on, by a key. */
  public static Elem keyed(String key, String read, String json) {
    return new Elem(ELEMENT, json, key, read, null);
  }

  /** What is said of splits: a kind and its value as JSON. */
  public static Elem control(byte kind, String json) {
    return new Elem(kind, json, null, null, null);
  }

  @Override
  public String toString() {
    return kind + " " + key + " " + read + " " + json;
  }

  public static final TypeInformation<Elem> TYPE = new Info();

  /** Finds it where only the class is known. */
  public static final class InfoFactory extends TypeInfoFactory<Elem> {
    @Override
    public TypeInformation<Elem> createTypeInfo(Type type, Map<String, TypeInformation<?>> parameters) {
      return TYPE;
    }
  }

  /** Its type, so that no generic serializer is ever chosen. */
  public static final class Info extends TypeInformation<Elem> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isBasicType() {
      return false;
    }

    @Override
    public boolean isTupleType() {
      return false;
    }

    @Override
    public int getArity() {
      return 1;
    }

    @Override
    public int getTotalFields() {
      return 1;
    }

    @Override
    public Class<Elem> getTypeClass() {
      return Elem.class;
    }

    @Override
    public boolean isKeyType() {
      return false;
    }

    @Override
    public TypeSerializer<Elem> createSerializer(SerializerConfig config) {
      return Ser.INSTANCE;
    }

    /** Of 1.20's interface; 2.x has it no longer. */
    public TypeSerializer<Elem> createSerializer(ExecutionConfig config) {
      return Ser.INSTANCE;
    }

    @Override
    public String toString() {
      return "Elem";
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Info;
    }

    @Override
    public int hashCode() {
      return Info.class.hashCode();
    }

    @Override
    public boolean canEqual(Object other) {
      return other instanceof Info;
    }
  }

  /** JSON as UTF-8; keys by their UTF-16 units, so that every JavaScript string comes back. */
  public static final class Ser extends TypeSerializerSingleton<Elem> {
    private static final long serialVersionUID = 1;
    static final Ser INSTANCE = new Ser();

    @Override
    public boolean isImmutableType() {
      return true;
    }

    @Override
    public Elem createInstance() {
      return new Elem(ELEMENT, null, null, null, null);
    }

    @Override
    public Elem copy(Elem from) {
      return from;
    }

    @Override
    public Elem copy(Elem from, Elem reuse) {
      return from;
    }

    @Override
    public int getLength() {
      return -1;
    }

    @Override
    public void serialize(Elem elem, DataOutputView out) throws IOException {
      out.writeByte(elem.kind);
      writeText(elem.json, out);
      StringValue.writeString(elem.key, out);
      writeText(elem.read, out);
      writeText(elem.origin, out);
    }

    @Override
    public Elem deserialize(DataInputView in) throws IOException {
      byte kind = in.readByte();
      String json = readText(in);
      String key = StringValue.readString(in);
      String read = readText(in);
      return new Elem(kind, json, key, read, readText(in));
    }

    @Override
    public Elem deserialize(Elem reuse, DataInputView in) throws IOException {
      return deserialize(in);
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
      serialize(deserialize(in), out);
    }

    @Override
    public TypeSerializerSnapshot<Elem> snapshotConfiguration() {
      return new Snapshot();
    }

    private static void writeText(String text, DataOutputView out) throws IOException {
      if (text == null) {
        out.writeInt(-1);
        return;
      }
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      out.writeInt(bytes.length);
      out.write(bytes);
    }

    private static String readText(DataInputView in) throws IOException {
      int length = in.readInt();
      if (length < 0) return null;
      byte[] bytes = new byte[length];
      in.readFully(bytes);
      return new String(bytes, StandardCharsets.UTF_8);
    }
  }

  /** Of the serializer, for savepoints. */
  public static final class Snapshot extends SimpleTypeSerializerSnapshot<Elem> {
    public Snapshot() {
      super(() -> Ser.INSTANCE);
    }
  }
}
