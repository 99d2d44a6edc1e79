package sluice.flink.neo4j;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.sink2.CommittingSinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import sluice.flink.Scripted;
import sluice.flink.Elem;
import sluice.flink.Functions;
import sluice.flink.Program;

/** Merges writes into chunks (runtime/graph-writes.ts), and gives all of them to each checkpoint. */
final class GraphWriter implements CommittingSinkWriter<Elem, Staged>, StatefulSinkWriter<Elem, Staged> {
  /** Elements and their characters of one call of the functions. */
  private static final int BATCH_ELEMENTS = 100;
  private static final int BATCH_MAX_CHARS = 1 << 20;
  /** Packed chunks between two checkpoints, and of one checkpoint in Flink's state. */
  private static final long STAGED_MAX_BYTES = 256L << 20;

  private final String uid;
  private final String lineage = Staged.newLineage();
  private final Functions functions;
  private final Scripted writes;
  private final StringBuilder batch = new StringBuilder();
  private int count;
  private long number;
  private List<byte[]> chunks = new ArrayList<>();
  private long bytes;

  /** {@code number}: of the last checkpoint that has writes. */
  GraphWriter(Program program, String uid, long number) {
    this.uid = uid;
    this.number = number;
    functions = Functions.acquire(program);
    writes = functions.of("graphWrites", uid);
  }

  @Override
  public void write(Elem elem, Context context) throws IOException {
    batch.append(count++ == 0 ? '[' : ',').append(elem.json);
    if (count >= BATCH_ELEMENTS || batch.length() >= BATCH_MAX_CHARS) send();
  }

  @Override
  public void flush(boolean endOfInput) throws IOException {
    send();
  }

  private void send() throws IOException {
    if (count == 0) return;
    String elements = batch.append(']').toString();
    batch.setLength(0);
    count = 0;
    if (writes.is("add", elements)) take();
  }

  private void take() throws IOException {
    String taken = writes.text("take");
    if (taken.isEmpty()) return;
    for (String chunk : taken.split("\n")) {
      byte[] packed = Staged.pack(chunk);
      chunks.add(packed);
      bytes += packed.length;
    }
    if (bytes > STAGED_MAX_BYTES)
      throw new IOException(
          "the graph '" + uid + "' has more than " + (STAGED_MAX_BYTES >> 20) + " MiB of packed writes since the last checkpoint: let checkpoints be more frequent (checkpointIntervalMs), or read more slowly");
  }

  @Override
  public Collection<Staged> prepareCommit() throws IOException {
    send();
    take();
    if (!chunks.isEmpty()) number++;
    Staged staged = new Staged(lineage, number, chunks);
    chunks = new ArrayList<>();
    bytes = 0;
    return List.of(staged);
  }

  @Override
  public List<Staged> snapshotState(long checkpoint) {
    return List.of(new Staged(lineage, number, List.of()));
  }

  @Override
  public void close() {
    functions.close();
  }
}
