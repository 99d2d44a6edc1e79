package sluice.flink.parquet;

import io.airlift.compress.snappy.SnappyCompressor;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.hadoop.conf.Configuration;
import org.apache.parquet.bytes.BytesInput;
import org.apache.parquet.compression.CompressionCodecFactory;
import org.apache.parquet.conf.ParquetConfiguration;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.hadoop.ParquetWriter;
import org.apache.parquet.hadoop.api.WriteSupport;
import org.apache.parquet.hadoop.metadata.CompressionCodecName;
import org.apache.parquet.io.OutputFile;
import org.apache.parquet.io.PositionOutputStream;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.RecordConsumer;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimeUnit;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.PrimitiveType;
import org.apache.parquet.schema.PrimitiveType.PrimitiveTypeName;
import org.apache.parquet.schema.Type;
import org.apache.parquet.schema.Types;
import sluice.flink.parquet.Layout.Column;

/**
 * Rows to the bytes of a Parquet file (Snappy), with the types of enrich/parquet/encode.ts. A row is
 * the JSON array of its cells: times are epoch ms, JSON is text. Without Hadoop: its classes are there
 * when this is compiled, and not when it runs.
 */
final class ParquetBytes {
  private static final JsonFactory JSON = new JsonFactory();

  private ParquetBytes() {}

  static byte[] of(List<Column> columns, Iterable<String> rows) throws IOException {
    Memory file = new Memory();
    try (ParquetWriter<String> writer =
        new Builder(file, columns)
            .withConf(new PlainParquetConfiguration())
            .withCompressionCodec(CompressionCodecName.SNAPPY)
            .withCodecFactory(new Snappy())
            .build()) {
      for (String row : rows) writer.write(row);
    }
    return file.bytes.toByteArray();
  }

  private static PrimitiveType typeOf(Column column) {
    Type.Repetition repetition = column.nullable ? Type.Repetition.OPTIONAL : Type.Repetition.REQUIRED;
    switch (column.type) {
      case "INT64":
        return Types.primitive(PrimitiveTypeName.INT64, repetition).named(column.name);
      case "DOUBLE":
        return Types.primitive(PrimitiveTypeName.DOUBLE, repetition).named(column.name);
      case "BOOLEAN":
        return Types.primitive(PrimitiveTypeName.BOOLEAN, repetition).named(column.name);
      case "TIMESTAMP":
        return Types.primitive(PrimitiveTypeName.INT64, repetition)
            .as(LogicalTypeAnnotation.timestampType(true, TimeUnit.MILLIS))
            .named(column.name);
      default:
        return Types.primitive(PrimitiveTypeName.BINARY, repetition)
            .as(LogicalTypeAnnotation.stringType())
            .named(column.name);
    }
  }

  private static final class Builder extends ParquetWriter.Builder<String, Builder> {
    private final List<Column> columns;

    Builder(OutputFile file, List<Column> columns) {
      super(file);
      this.columns = columns;
    }

    @Override
    protected Builder self() {
      return this;
    }

    @Override
    protected WriteSupport<String> getWriteSupport(Configuration configuration) {
      throw new UnsupportedOperationException("Hadoop is not available");
    }

    @Override
    protected WriteSupport<String> getWriteSupport(ParquetConfiguration configuration) {
      return new Rows(columns);
    }
  }

  private static final class Rows extends WriteSupport<String> {
    private final List<Column> columns;
    private RecordConsumer consumer;

    Rows(List<Column> columns) {
      this.columns = columns;
    }

    @Override
    public WriteContext init(Configuration configuration) {
      throw new UnsupportedOperationException("Hadoop is not available");
    }

    @Override
    public WriteContext init(ParquetConfiguration configuration) {
      Type[] types = columns.stream().map(ParquetBytes::typeOf).toArray(Type[]::new);
      return new WriteContext(new MessageType("root", types), Map.of());
    }

    @Override
    public void prepareForWrite(RecordConsumer made) {
      consumer = made;
    }

    @Override
    public void write(String row) {
      try (JsonParser cells = JSON.createParser(row)) {
        cells.nextToken();
        consumer.startMessage();
        for (int i = 0; i < columns.size(); i++) {
          if (cells.nextToken() == JsonToken.VALUE_NULL) continue;
          Column column = columns.get(i);
          consumer.startField(column.name, i);
          cell(column, cells);
          consumer.endField(column.name, i);
        }
        consumer.endMessage();
      } catch (IOException wrong) {
        throw new IllegalStateException("a row of " + columns.size() + " cells: " + wrong.getMessage(), wrong);
      }
    }

    private void cell(Column column, JsonParser cells) throws IOException {
      switch (column.type) {
        case "INT64":
        case "TIMESTAMP":
          consumer.addLong(cells.getLongValue());
          return;
        case "DOUBLE":
          consumer.addDouble(cells.getDoubleValue());
          return;
        case "BOOLEAN":
          consumer.addBoolean(cells.getBooleanValue());
          return;
        default:
          consumer.addBinary(Binary.fromString(cells.getText()));
      }
    }
  }

  private static final class Memory implements OutputFile {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    @Override
    public PositionOutputStream create(long blockSize) {
      return new PositionOutputStream() {
        @Override
        public long getPos() {
          return bytes.size();
        }

        @Override
        public void write(int one) {
          bytes.write(one);
        }

        @Override
        public void write(byte[] from, int offset, int length) {
          bytes.write(from, offset, length);
        }
      };
    }

    @Override
    public PositionOutputStream createOrOverwrite(long blockSize) {
      return create(blockSize);
    }

    @Override
    public boolean supportsBlockSize() {
      return false;
    }

    @Override
    public long defaultBlockSize() {
      return 0;
    }
  }

  /** In plain Java: that of parquet-hadoop needs Hadoop, and a native library. */
  private static final class Snappy implements CompressionCodecFactory {
    @Override
    public BytesInputCompressor getCompressor(CompressionCodecName codec) {
      return new BytesInputCompressor() {
        private final SnappyCompressor snappy = new SnappyCompressor();

        @Override
        public BytesInput compress(BytesInput given) throws IOException {
          byte[] in = given.toByteArray();
          byte[] out = new byte[snappy.maxCompressedLength(in.length)];
          int length = snappy.compress(in, 0, in.length, out, 0, out.length);
          return BytesInput.from(out, 0, length);
        }

        @Override
        public CompressionCodecName getCodecName() {
          return CompressionCodecName.SNAPPY;
        }

        @Override
        public void release() {}
      };
    }

    @Override
    public BytesInputDecompressor getDecompressor(CompressionCodecName codec) {
      throw new UnsupportedOperationException("nothing is read");
    }

    @Override
    public void release() {}
  }
}
