package sluice.flink.parquet;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import sluice.flink.Elem;
import sluice.flink.ElemSink;
import sluice.flink.OrderSerializer;

/**
 * A table's files, exactly once: a checkpoint names what was staged until then, and when it is complete
 * that becomes visible. An element has its folder as key, or its file where files are replaced.
 */
final class TableSink implements ElemSink, SupportsWriterState<Elem, Long>, SupportsCommitter<Staged> {
  private static final long serialVersionUID = 1;

  final Lake lake;
  final Layout layout;
  /** Of the names of files. */
  final String prefix;
  /** Whether an element's key is a file, all of whose rows come again whenever one of them changes. */
  final boolean whole;
  final long maxBytes;
  final int maxPartitions;

  TableSink(Lake lake, Layout layout, String prefix, boolean whole, long maxBytes, int maxPartitions) {
    this.lake = lake;
    this.layout = layout;
    this.prefix = prefix;
    this.whole = whole;
    this.maxBytes = maxBytes;
    this.maxPartitions = maxPartitions;
  }

  /** The folder of files that are not visible yet: one that the engine's own runs do not look at. */
  String staging() {
    return ".staging/" + layout.table + "/" + prefix + "flink/";
  }

  @Override
  public TableWriter createWriter(WriterInitContext context) {
    return new TableWriter(this, List.of());
  }

  @Override
  public TableWriter restoreWriter(WriterInitContext context, Collection<Long> orders) {
    return new TableWriter(this, orders);
  }

  @Override
  public SimpleVersionedSerializer<Long> getWriterStateSerializer() {
    return new OrderSerializer();
  }

  @Override
  public Committer<Staged> createCommitter(CommitterInitContext context) {
    return new Publisher(lake);
  }

  @Override
  public SimpleVersionedSerializer<Staged> getCommittableSerializer() {
    return new Staged.Serializer();
  }

  private static final class Publisher implements Committer<Staged> {
    private final Lake lake;
    private final Calls calls = new Calls();

    Publisher(Lake lake) {
      this.lake = lake;
    }

    @Override
    public void commit(Collection<CommitRequest<Staged>> requests) throws IOException, InterruptedException {
      List<Callable<Void>> publications = new ArrayList<>();
      for (CommitRequest<Staged> request : requests) {
        Staged file = request.getCommittable();
        publications.add(
            () -> {
              lake.publish(file.staged, file.target);
              return null;
            });
      }
      if (!publications.isEmpty()) calls.all(publications);
    }

    @Override
    public void close() {
      calls.close();
    }
  }
}
