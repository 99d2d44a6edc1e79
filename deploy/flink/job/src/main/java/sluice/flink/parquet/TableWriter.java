package sluice.flink.parquet;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import org.apache.flink.api.connector.sink2.CommittingSinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import sluice.flink.Elem;

/**
 * One part of a table's writer: holds rows by partition until a checkpoint, or until there are enough,
 * and makes a staged file of each.
 *
 * <p>1. What is open is bounded, in bytes and in partitions: past either, files are made before the
 * checkpoint. 2. Rows of a file that is replaced ({@code whole}) come one after the other, and are made
 * into one file. 3. No two files have one name: each writer has a name of its own.
 */
final class TableWriter implements StatefulSinkWriter<Elem, Long>, CommittingSinkWriter<Elem, Staged> {
  private static final int ID_CHARS = 32;
  /** What a row takes beside its text. */
  private static final int ROW_BYTES = 64;
  private static final long MICROS_PER_MS = 1000;

  private static final class Open {
    final List<String> rows = new ArrayList<>();
    long bytes;
  }

  private final TableSink sink;
  private final Layout layout;
  private final String id = UUID.randomUUID().toString().replace("-", "").substring(0, 16);
  private final Calls calls = new Calls();
  private final MessageDigest sha256;
  /** By partition, or by file: the oldest first. */
  private final Map<String, Open> open = new LinkedHashMap<>();
  private long bytes;
  private List<Staged> staged = new ArrayList<>();
  private long files;
  /** The number that a row was given last. */
  private long order;

  TableWriter(TableSink sink, Collection<Long> orders) {
    this.sink = sink;
    layout = sink.layout;
    for (long one : orders) order = Math.max(order, one);
    try {
      sha256 = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException none) {
      throw new IllegalStateException(none);
    }
  }

  @Override
  public void write(Elem row, Context context) throws IOException, InterruptedException {
    if (row.kind != Elem.ELEMENT) return;
    Open held = open.get(row.key);
    if (held == null) {
      if (sink.whole && isFull(open.size() + 1)) makeFiles(0);
      held = new Open();
      open.put(row.key, held);
    }
    String cells = cells(row);
    held.rows.add(cells);
    long added = cells.length() + ROW_BYTES;
    held.bytes += added;
    bytes += added;
    if (sink.whole) return;
    if (bytes >= sink.maxBytes) makeFiles(0);
    else if (open.size() > sink.maxPartitions) makeFiles(sink.maxPartitions);
  }

  private boolean isFull(int partitions) {
    return bytes >= sink.maxBytes || partitions > sink.maxPartitions;
  }

  /** With those that are added to a row: its id, then its order. */
  private String cells(Elem row) {
    if (row.read == null && !layout.order) return row.json;
    StringBuilder cells = new StringBuilder(row.json).deleteCharAt(row.json.length() - 1);
    String comma = row.json.length() == 2 ? "" : ",";
    if (row.read != null) {
      cells.append(comma).append('"').append(digest(row.read)).append('"');
      comma = ",";
    }
    if (layout.order) {
      order = Math.max(order + 1, System.currentTimeMillis() * MICROS_PER_MS);
      cells.append(comma).append(order);
    }
    return cells.append(']').toString();
  }

  private String digest(String text) {
    StringBuilder hex = new StringBuilder();
    for (byte one : sha256.digest(text.getBytes(StandardCharsets.UTF_8))) hex.append(String.format("%02x", one));
    return hex.substring(0, ID_CHARS);
  }

  /** Of the oldest partitions, so that {@code left} are open. */
  private void makeFiles(int left) throws IOException, InterruptedException {
    List<Callable<Void>> writes = new ArrayList<>();
    Iterator<Map.Entry<String, Open>> oldest = open.entrySet().iterator();
    while (open.size() > left && oldest.hasNext()) {
      Map.Entry<String, Open> one = oldest.next();
      Open held = one.getValue();
      Staged file = named(one.getKey());
      staged.add(file);
      writes.add(
          () -> {
            sink.lake.stage(file.staged, ParquetBytes.of(layout.columns, held.rows));
            return null;
          });
      bytes -= held.bytes;
      oldest.remove();
    }
    if (!writes.isEmpty()) calls.all(writes);
  }

  private Staged named(String key) {
    String name = sink.prefix + id + "-" + files++ + ".parquet";
    String folder = key.isEmpty() ? layout.table : layout.table + "/" + key;
    return new Staged(sink.staging() + name, sink.whole ? layout.table + "/" + key : folder + "/" + name);
  }

  @Override
  public Collection<Staged> prepareCommit() throws IOException, InterruptedException {
    makeFiles(0);
    List<Staged> made = staged;
    staged = new ArrayList<>();
    return made;
  }

  @Override
  public List<Long> snapshotState(long checkpoint) {
    return layout.order ? List.of(order) : List.of();
  }

  @Override
  public void flush(boolean end) {}

  @Override
  public void close() {
    calls.close();
  }
}
