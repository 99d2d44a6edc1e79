package sluice.flink;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.accumulators.Accumulator;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * How far a source is read, by split, as of the last snapshot: so that the topology can go on
 * elsewhere from there. The REST API shows it as an accumulator of the job, also once the job has
 * stopped with a savepoint. The names of splits and positions are those of checkpoints of the engine
 * here: `kafka partition-0`, and the position of the last record that was read.
 *
 * <p>Every part of an operator keeps what it knows of all splits, so that one that nobody reads any
 * more is not forgotten; where two know of one split, the later position is right.
 */
public final class Positions {
  private static final Logger LOG = LoggerFactory.getLogger(Positions.class);
  private static final String STATE = "sluice.positions";
  private final Map<String, String> read = new HashMap<>();
  private final Published published = new Published();
  private ListState<String> state;
  private String name;

  /** The accumulator of a source: `sluice.positions.` and its uid. */
  public static String accumulator(String uid) {
    return STATE + "." + uid;
  }

  /** `from`: where its places begin by their settings, `{"positions": {split: position}}` each, by route. */
  public void open(String uid, Map<String, JsonNode> from, RuntimeContext runtime, StateInitializationContext context)
      throws Exception {
    from.forEach((route, one) ->
        one.path("positions").fields().forEachRemaining((each) -> read(route, each.getKey(), each.getValue().asText())));
    state = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>(STATE, Types.STRING));
    List<String> lines = new ArrayList<>();
    for (String line : state.get()) lines.add(line);
    for (String line : lines) {
      int end = line.lastIndexOf(' ');
      later(read, line.substring(0, end), line.substring(end + 1));
    }
    publish();
    name = accumulator(uid);
    runtime.addAccumulator(name, published);
  }

  /** A record of a split went by; positions of a split come in their order. */
  public void read(String route, String split, String position) {
    later(read, route + " " + split, position);
  }

  /** At a snapshot of the operator. */
  public void snapshot() throws Exception {
    List<String> lines = new ArrayList<>();
    read.forEach((split, position) -> lines.add(split + " " + position));
    state.update(lines);
    publish();
  }

  /** When the operator closes: for those who cannot ask the job's manager once the job has stopped. */
  public void close() {
    if (name != null) LOG.info("{} {}", name, published);
  }

  private void publish() {
    published.positions = new TreeMap<>(read);
  }

  /** Positions are decimal digits of any length. */
  private static void later(Map<String, String> positions, String split, String position) {
    positions.merge(split, position, (was, is) -> isAfter(is, was) ? is : was);
  }

  private static boolean isAfter(String one, String other) {
    return one.length() == other.length() ? one.compareTo(other) > 0 : one.length() > other.length();
  }

  /**
   * As the job's manager has it. Its value is JSON, as the REST API shows the text of the value.
   * Replaced as a whole, as another thread reads it.
   */
  public static final class Published implements Accumulator<String, String>, Serializable {
    private static final long serialVersionUID = 1;
    private volatile TreeMap<String, String> positions = new TreeMap<>();

    @Override
    public void add(String none) {
      throw new UnsupportedOperationException("positions are published as a whole");
    }

    @Override
    public String getLocalValue() {
      return toString();
    }

    @Override
    public void resetLocal() {
      positions = new TreeMap<>();
    }

    @Override
    public void merge(Accumulator<String, String> other) {
      TreeMap<String, String> all = new TreeMap<>(positions);
      ((Published) other).positions.forEach((split, position) -> later(all, split, position));
      positions = all;
    }

    @Override
    public Accumulator<String, String> clone() {
      Published copy = new Published();
      copy.positions = new TreeMap<>(positions);
      return copy;
    }

    @Override
    public String toString() {
      StringBuilder json = new StringBuilder("{");
      positions.forEach((split, position) -> {
        if (json.length() > 1) json.append(',');
        json.append(Json.quote(split)).append(':').append(Json.quote(position));
      });
      return json.append('}').toString();
    }
  }
}
