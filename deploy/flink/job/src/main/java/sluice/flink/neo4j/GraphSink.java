package sluice.flink.neo4j;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import org.apache.flink.api.connector.sink2.Committer;
import org.apache.flink.api.connector.sink2.CommitterInitContext;
import org.apache.flink.api.connector.sink2.SinkWriter;
import org.apache.flink.api.connector.sink2.StatefulSinkWriter;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.api.connector.sink2.SupportsWriterState;
import org.apache.flink.api.connector.sink2.WriterInitContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import sluice.flink.Elem;
import sluice.flink.ElemSink;
import sluice.flink.Program;

/**
 * A graph: writes are merged and kept in Flink's state, and applied once the checkpoint that has them
 * is complete. Once each: the database records which chunks it has.
 */
final class GraphSink implements ElemSink, SupportsCommitter<Staged>, SupportsWriterState<Elem, Staged> {
  private static final long serialVersionUID = 1;

  private final Program program;
  private final String uid;
  private final Access access;

  GraphSink(Program program, String uid, Access access) {
    this.program = program;
    this.uid = uid;
    this.access = access;
  }

  @Override
  public SinkWriter<Elem> createWriter(WriterInitContext context) {
    return new GraphWriter(program, uid, 0);
  }

  @Override
  public StatefulSinkWriter<Elem, Staged> restoreWriter(WriterInitContext context, Collection<Staged> places) {
    return new GraphWriter(program, uid, places.stream().mapToLong(place -> place.number).max().orElse(0));
  }

  @Override
  public SimpleVersionedSerializer<Staged> getWriterStateSerializer() {
    return new Staged.Serializer();
  }

  @Override
  public Committer<Staged> createCommitter(CommitterInitContext context) throws IOException {
    GraphCommitter committer = new GraphCommitter(program, uid, access);
    // A restored one is given what its checkpoint has before anything else: that says what it resumes.
    if (!context.getRestoredCheckpointId().isPresent()) committer.open(Staged.first());
    return committer;
  }

  @Override
  public SimpleVersionedSerializer<Staged> getCommittableSerializer() {
    return new Staged.Serializer();
  }
}
