package sluice.flink.parquet;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Calls of a file system at once, and no more of them than it should have: in a bucket each is slow. */
final class Calls implements AutoCloseable {
  private static final int AT_ONCE = 8;
  private ExecutorService threads;

  /** Ends when all of them have. Throws the first failure. */
  void all(Collection<Callable<Void>> calls) throws IOException, InterruptedException {
    if (threads == null) threads = Executors.newFixedThreadPool(AT_ONCE, Calls::thread);
    List<Future<Void>> made = new ArrayList<>(threads.invokeAll(calls));
    for (Future<Void> one : made) {
      try {
        one.get();
      } catch (ExecutionException failed) {
        throw failed.getCause() instanceof IOException ? (IOException) failed.getCause() : new IOException(failed.getCause());
      }
    }
  }

  private static Thread thread(Runnable work) {
    Thread made = new Thread(work, "sluice parquet");
    made.setDaemon(true);
    return made;
  }

  @Override
  public void close() {
    if (threads != null) threads.shutdownNow();
  }
}
