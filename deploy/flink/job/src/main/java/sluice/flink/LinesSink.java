package sluice.flink;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.WriterInitContext;

/**
 * Writes rows as lines of JSON to `rows.ndjson` in a folder: at least once, as nothing of it is
 * undone when a job starts again from a checkpoint.
 */
final class LinesSink implements ElemSink {
  private static final long serialVersionUID = 1;
  private final String folder;
  /** Whether a row is written beside its time. */
  private final boolean timed;

  LinesSink(String folder, boolean timed) {
    this.folder = folder;
    this.timed = timed;
  }

  @Override
  public SinkWriter<Elem> createWriter(WriterInitContext context) throws IOException {
    return new Writer();
  }

  private final class Writer implements SinkWriter<Elem> {
    private final BufferedWriter out;

    Writer() throws IOException {
      Files.createDirectories(Path.of(folder));
      Path file = Path.of(folder, "rows.ndjson");
      cut(file);
      out = Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** A row that a run wrote in part when it was killed: it comes again, as no checkpoint has it. */
    private void cut(Path path) throws IOException {
      if (!Files.exists(path)) return;
      try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
        long end = file.length();
        for (; end > 0; end--) {
          file.seek(end - 1);
          if (file.read() == '\n') break;
        }
        file.setLength(end);
      }
    }

    @Override
    public void write(Elem row, Context context) throws IOException {
      if (row.kind != Elem.ELEMENT) return;
      if (timed) out.write("{\"timestamp\":" + context.timestamp() + ",\"value\":" + row.json + "}\n");
      else out.write(row.json + "\n");
    }

    @Override
    public void flush(boolean end) throws IOException {
      out.flush();
    }

    @Override
    public void close() throws IOException {
      out.close();
    }
  }
}
