package sluice.flink.firehose;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import sluice.flink.Elem;
import software.amazon.awssdk.services.firehose.FirehoseClient;

/**
 * Packs rows into calls, a few of which are in flight; past that it waits. A flush, which comes before
 * each checkpoint, ends when all that was written was taken.
 */
final class DeliveryWriter implements StatefulSinkWriter<Elem, Long> {
  private static final int CALLS_MAX = 4;
  private static final long MICROS_PER_MS = 1_000;

  private final boolean ordered;
  private final FirehoseClient client;
  private final Delivery delivery;
  private final RecordPacker packer;
  private final ExecutorService calls;
  private final Deque<Future<?>> inFlight = new ArrayDeque<>();
  /** Of rows by key, the number that was given last: microseconds, and never less than before. */
  private long order;

  DeliveryWriter(Stream stream, boolean ordered, long order) throws IOException {
    this.ordered = ordered;
    this.order = order;
    client = stream.connect();
    delivery = new Delivery(stream, client);
    packer = new RecordPacker(stream.rowsPerRecord);
    calls =
        Executors.newFixedThreadPool(
            CALLS_MAX,
            work -> {
              Thread thread = new Thread(work, "delivery to " + stream.name);
              thread.setDaemon(true);
              return thread;
            });
  }

  @Override
  public void write(Elem row, Context context) throws IOException, InterruptedException {
    if (ordered) order = Math.max(order + 1, System.currentTimeMillis() * MICROS_PER_MS);
    start(packer.add(Lines.of(row, ordered ? order : -1)));
  }

  @Override
  public void flush(boolean endOfInput) throws IOException, InterruptedException {
    start(packer.flush());
    while (!inFlight.isEmpty()) awaitFirst();
  }

  private void start(List<byte[]> call) throws IOException, InterruptedException {
    if (call == null) return;
    while (inFlight.size() >= CALLS_MAX) awaitFirst();
    inFlight.add(
        calls.submit(
            () -> {
              delivery.deliver(call);
              return null;
            }));
  }

  private void awaitFirst() throws IOException, InterruptedException {
    try {
      inFlight.remove().get();
    } catch (ExecutionException failed) {
      Throwable cause = failed.getCause();
      throw cause instanceof IOException ? (IOException) cause : new IOException(cause);
    }
  }

  @Override
  public List<Long> snapshotState(long checkpoint) {
    return List.of(order);
  }

  @Override
  public void close() {
    delivery.close();
    calls.shutdownNow();
    client.close();
  }
}
