package sluice.flink.neo4j;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import org.apache.flink.api.connector.sink2.Committer;
import sluice.flink.Program;

/**
 * Applies the writes of complete checkpoints, in order.
 *
 * <p>1. Nothing is applied before the sink was taken over, with what the job resumes from: an older
 * run is refused from then on. It is taken over once, and goes on in the lineage of its own writer. 2. A commit that is repeated changes nothing: the database has its
 * chunks. 3. What the database does not take ends the task once the driver has tried for its time:
 * the writes stay in the checkpoint, and a restart commits them.
 */
final class GraphCommitter implements Committer<Staged> {
  private final BoltSession session;
  /** Of whom the sink was taken over. */
  private String lineage;

  GraphCommitter(Program program, String uid, Access access) throws IOException {
    session = new BoltSession(program, uid, access);
  }

  /** Takes the sink over, or goes on with another lineage; {@code first}: the first that is not known to be in the database. */
  void open(Staged first) throws IOException {
    try {
      session.open(first.lineage, first.number, first.chunks.size());
      lineage = first.lineage;
    } catch (IOException | RuntimeException refused) {
      // Of a task that did not start nothing is closed.
      session.close();
      throw refused;
    }
  }

  @Override
  public void commit(Collection<CommitRequest<Staged>> requests) throws IOException {
    List<Staged> ordered = new ArrayList<>();
    for (CommitRequest<Staged> request : requests) ordered.add(request.getCommittable());
    ordered.sort(Comparator.comparingLong(staged -> staged.number));
    for (Staged staged : ordered) {
      if (!staged.lineage.equals(lineage)) open(staged);
      int chunk = 0;
      for (byte[] packed : staged.chunks) session.apply(staged.number, ++chunk, Staged.unpack(packed));
    }
  }

  @Override
  public void close() {
    session.close();
  }
}
