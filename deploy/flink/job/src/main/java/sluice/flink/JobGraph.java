package sluice.flink;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.MultipleConnectedStreams;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.transformations.KeyedMultipleInputTransformation;
import org.apache.flink.streaming.api.transformations.MultipleInputTransformation;
import org.apache.flink.streaming.api.transformations.PhysicalTransformation;

/**
 * Builds a Flink job of a plan (deploy/flink/plan.ts): an operator of ours for each of its own, in
 * its order, with its uid. Where elements come from and go to is bound by whoever calls.
 */
final class JobGraph {
  /** Where a source's elements come from, and a sink's rows go to. */
  interface Connectors {
    List<Source> source(StreamExecutionEnvironment env, JsonNode operator);

    void sink(DataStream<Elem> rows, JsonNode operator);

    /** What a look-up by a connector asks. */
    Asking.Factory lookup(JsonNode operator);

    /** What is passed on of what one operator rejects; `from` is its uid. */
    default DataStream<Elem> rejecting(DataStream<Elem> rejections, String from) {
      return rejections;
    }

    /** What all operators rejected, as `rejecting` passed it on. */
    void rejected(DataStream<Elem> rejections);
  }

  /** What is read of one place. */
  static final class Source {
    final SingleOutputStreamOperator<Elem> stream;
    /** Whether it gives records as they came, which are decoded first. */
    final boolean givesRecords;
    /** Of such: the name of its connector, and where it begins. */
    final Map<String, JsonNode> from;

    /** Of elements. */
    Source(SingleOutputStreamOperator<Elem> stream) {
      this(stream, false, Map.of());
    }

    Source(SingleOutputStreamOperator<Elem> stream, boolean givesRecords, Map<String, JsonNode> from) {
      this.stream = stream;
      this.givesRecords = givesRecords;
      this.from = from;
    }
  }

  /** The form of plans that this job reads. */
  private static final int IR_VERSION = 1;

  private final StreamExecutionEnvironment env;
  private final Program program;
  private final Connectors connectors;
  private final int batchRows;
  private final long tickMs;
  /** What a source reads. */
  private final Map<String, DataStream<Elem>> read = new HashMap<>();
  /** Of an operator before event time: how many readers of splits are in front of it. */
  private final Map<String, Integer> readers = new HashMap<>();
  private final Map<String, SingleOutputStreamOperator<Elem>> built = new HashMap<>();
  private final Map<String, String> mainPorts = new HashMap<>();
  private final List<DataStream<Elem>> rejections = new ArrayList<>();

  JobGraph(StreamExecutionEnvironment env, Program program, Connectors connectors, int batchRows, long tickMs) {
    this.env = env;
    this.program = program;
    this.connectors = connectors;
    this.batchRows = batchRows;
    this.tickMs = tickMs;
  }

  void build(JsonNode plan) {
    int version = plan.path("irVersion").asInt();
    if (version != IR_VERSION)
      throw new IllegalArgumentException(
          "the plan has irVersion " + version + ", and this job reads " + IR_VERSION + ": build it with the job's own version of sluice");
    env.setMaxParallelism(plan.get("maxParallelism").asInt());
    for (JsonNode operator : plan.get("operators")) add(operator);
    if (rejections.isEmpty()) return;
    DataStream<Elem> first = rejections.get(0);
    @SuppressWarnings({"unchecked", "rawtypes"})
    DataStream<Elem>[] others = rejections.subList(1, rejections.size()).toArray(new DataStream[0]);
    connectors.rejected(others.length == 0 ? first : first.union(others));
  }

  private void add(JsonNode operator) {
    String uid = operator.get("uid").asText();
    switch (operator.get("kind").asText()) {
      case "source":
        source(uid, operator);
        return;
      case "sink":
        connectors.sink(input(operator, 0), operator);
        return;
      case "segment":
        segment(uid, operator);
        return;
      case "union":
        union(uid, operator);
        return;
      case "lookup":
        lookup(uid, operator);
        return;
      case "window":
        keyed(uid, operator, new WindowOp(program, new WindowSettings(operator)));
        return;
      case "deduplicate":
        keyed(uid, operator, new DeduplicateOp(operator.get("withinMs").asLong(), lateToSide(operator)));
        return;
      case "process":
        keyed(uid, operator, new ProcessOp(program, uid));
        return;
      case "intervalJoin":
        join(uid, operator);
        return;
      default:
        throw new IllegalArgumentException("'" + uid + "' is a " + operator.get("kind").asText() + ", which this job does not know");
    }
  }

  private void source(String uid, JsonNode operator) {
    DataStream<Elem> all = null;
    for (Source one : connectors.source(env, operator)) {
      DataStream<Elem> elements = one.givesRecords ? entered(uid, one) : one.stream;
      if (one.givesRecords) readers.merge(uid, 1, Integer::sum);
      all = all == null ? elements : all.union(elements);
    }
    read.put(uid, all);
  }

  /** The records of a place as elements. */
  private DataStream<Elem> entered(String uid, Source source) {
    SingleOutputStreamOperator<Elem> records = source.stream;
    String name = records.getName() + "/enter";
    SingleOutputStreamOperator<Elem> made =
        chained(records.transform(name, Elem.TYPE, SegmentOp.enter(program, uid, source.from, batchRows, tickMs)));
    // Beside what reads them, as every segment.
    made.setParallelism(records.getParallelism());
    // First its uid, by which what it rejects is known.
    made.uid(name);
    rejects(made);
    return made;
  }

  /** Runs in one task with what feeds it. Flink 1.20 does so only where it is said, 2.x always. */
  private static SingleOutputStreamOperator<Elem> chained(SingleOutputStreamOperator<Elem> made) {
    ((PhysicalTransformation<Elem>) made.getTransformation()).setChainingStrategy(ChainingStrategy.ALWAYS);
    return made;
  }

  private static boolean lateToSide(JsonNode operator) {
    return operator.get("late").asText().equals("side");
  }

  private void done(String uid, String mainPort, SingleOutputStreamOperator<Elem> stream) {
    stream.uid(uid).name(uid);
    built.put(uid, stream);
    mainPorts.put(uid, mainPort);
  }

  /** The stream of an input. */
  private DataStream<Elem> input(JsonNode operator, int index) {
    JsonNode input = operator.get("inputs").get(index);
    String from = input.get("operator").asText();
    String port = input.get("port").asText();
    DataStream<Elem> events = read.get(from);
    if (events != null) return events;
    SingleOutputStreamOperator<Elem> stream = built.get(from);
    return port.equals(mainPorts.get(from)) ? stream : stream.getSideOutput(Ports.tag(port));
  }

  private int readersBefore(JsonNode operator) {
    int count = 0;
    for (JsonNode input : operator.get("inputs")) count += readers.getOrDefault(input.get("operator").asText(), 0);
    readers.put(operator.get("uid").asText(), count);
    return count;
  }

  private KeyedStream<Elem, String> keyedInput(JsonNode operator, int index) {
    return input(operator, index).keyBy(elem -> elem.key, Types.STRING);
  }

  private void rejects(SingleOutputStreamOperator<Elem> stream) {
    rejections.add(connectors.rejecting(stream.getSideOutput(Ports.REJECTED), stream.getTransformation().getUid()));
  }

  private void segment(String uid, JsonNode operator) {
    List<String> ports = new ArrayList<>();
    for (JsonNode output : operator.get("outputs")) ports.add(output.get("port").asText());
    DataStream<Elem> input = input(operator, 0);
    SegmentOp segment =
        new SegmentOp(program, uid, operator.get("timed").asBoolean(), ports, batchRows, tickMs).expects(readersBefore(operator));
    SingleOutputStreamOperator<Elem> made = chained(input.transform(uid, Elem.TYPE, segment));
    // It stays beside what feeds it: splits are said to one part only, and order is kept.
    made.setParallelism(input.getParallelism());
    done(uid, ports.isEmpty() ? "" : ports.get(0), made);
    rejects(made);
  }

  private void lookup(String uid, JsonNode operator) {
    DataStream<Elem> input = input(operator, 0);
    LookupOp own = new LookupOp(program, uid, connectors.lookup(operator));
    SingleOutputStreamOperator<Elem> made = chained(input.transform(uid, Elem.TYPE, own));
    // As a segment.
    made.setParallelism(input.getParallelism());
    done(uid, "out", made);
    rejects(made);
  }

  private void keyed(String uid, JsonNode operator, OneInputStreamOperator<Elem, Elem> own) {
    SingleOutputStreamOperator<Elem> made = keyedInput(operator, 0).transform(uid, Elem.TYPE, own);
    done(uid, "out", made);
    rejects(made);
  }

  private void join(String uid, JsonNode operator) {
    IntervalJoinOp.Factory factory =
        new IntervalJoinOp.Factory(
            program,
            uid,
            operator.get("lowerMs").asLong(),
            operator.get("upperMs").asLong(),
            operator.get("join").asText().equals("left"),
            lateToSide(operator));
    // Of two inputs, but Flink's operators of two decide themselves what of idle inputs counts.
    KeyedMultipleInputTransformation<Elem> join =
        new KeyedMultipleInputTransformation<>(uid, factory, Elem.TYPE, env.getParallelism(), Types.STRING);
    KeySelector<Elem, String> key = elem -> elem.key;
    for (int i = 0; i < 2; i++) join.addInput(keyedInput(operator, i).getTransformation(), key);
    SingleOutputStreamOperator<Elem> made = new MultipleConnectedStreams(env).transform(join);
    env.addOperator(join);
    done(uid, "out", made);
    rejects(made);
  }

  private void union(String uid, JsonNode operator) {
    int count = operator.get("inputs").size();
    readersBefore(operator);
    int parallelism = 1;
    for (int i = 0; i < count; i++) parallelism = Math.max(parallelism, input(operator, i).getParallelism());
    UnionOp.Factory factory = new UnionOp.Factory(program, count, operator.get("merges").asBoolean());
    MultipleInputTransformation<Elem> union = new MultipleInputTransformation<>(uid, factory, Elem.TYPE, parallelism);
    for (int i = 0; i < count; i++) union.addInput(input(operator, i).getTransformation());
    done(uid, "out", new MultipleConnectedStreams(env).transform(union));
    env.addOperator(union);
  }
}
