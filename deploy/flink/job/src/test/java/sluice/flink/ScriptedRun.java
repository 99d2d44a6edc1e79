package sluice.flink;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.streaming.api.graph.StreamEdge;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.Collector;

/**
 * A job's stream graph, run in one order: each part of each operator in Flink's test harness, with
 * its state backend, timers and serializers; records go along the graph's edges by its partitioners
 * and its serializer, watermarks through the valve that a task has. What comes in is carried to the
 * end before the next comes. Not run: sources, network, mailbox, chaining, barriers.
 */
final class ScriptedRun {
  private final Map<Integer, ScriptedNode> nodes = new LinkedHashMap<>();
  private final Map<String, Integer> sources = new HashMap<>();
  private final Map<Integer, Captured> captured = new LinkedHashMap<>();
  private final Deque<Runnable> work = new ArrayDeque<>();
  private final StreamGraph graph;
  private long now;

  ScriptedRun(Program program, JsonNode plan, int parallelism, int batchRows, JsonNode lookups, long now) {
    this.now = now;
    StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(parallelism);
    new JobGraph(env, program, new Scripted(lookups), batchRows, 0).build(plan);
    graph = env.getStreamGraph();
    for (StreamNode node : graph.getStreamNodes()) {
      String name = node.getOperatorName();
      if (name.startsWith("Source: ")) sources.put(name.substring("Source: ".length()), node.getId());
      else if (name.startsWith("Sink: ")) captured.put(node.getId(), new Captured(name.substring("Sink: ".length())));
      else nodes.put(node.getId(), new ScriptedNode(graph, node, plan.get("maxParallelism").asInt()));
    }
    for (int id : captured.keySet()) captured.get(id).open(ScriptedNode.channels(graph, graph.getStreamNode(id), 0));
  }

  void start() throws Exception {
    for (ScriptedNode node : nodes.values()) node.open(null, now);
    drain();
  }

  void push(String source, String json, String origin) throws Exception {
    emit(sources.get(source), 0, new StreamRecord<>(Elem.of(json, origin), now));
    drain();
  }

  void control(String source, byte kind, long at, String value) throws Exception {
    emit(sources.get(source), 0, new StreamRecord<>(Elem.control(kind, value), at));
    drain();
  }

  void end() throws Exception {
    for (int source : sources.values()) emit(source, 0, new Watermark(Times.MAX));
    drain();
  }

  void clock(long ms) throws Exception {
    now = ms;
    for (ScriptedNode node : nodes.values()) {
      node.clock(ms);
      drain();
    }
  }

  /** Until answers have come, or for so long. */
  void await(long maxMs) throws Exception {
    for (long end = System.nanoTime() + maxMs * 1_000_000; System.nanoTime() < end; Thread.sleep(1)) {
      boolean any = false;
      for (ScriptedNode node : nodes.values()) any |= node.mails();
      drain();
      if (any) return;
    }
  }

  /** Takes what operators gave, and carries it on, until nothing is left. */
  private void drain() throws Exception {
    for (boolean any = true; any; ) {
      any = false;
      for (ScriptedNode node : nodes.values()) any |= node.take(this::emit, this::emitSide);
      for (Runnable next = work.poll(); next != null; next = work.poll()) {
        any = true;
        next.run();
        // In the order in which it came out.
        for (ScriptedNode node : nodes.values()) node.take(this::emit, this::emitSide);
      }
    }
  }

  private void emit(int from, int subtask, StreamElement element) {
    for (StreamEdge edge : graph.getStreamNode(from).getOutEdges())
      if (edge.getOutputTag() == null || !element.isRecord()) send(edge, subtask, element);
  }

  private void emitSide(int from, int subtask, String tag, StreamElement element) {
    for (StreamEdge edge : graph.getStreamNode(from).getOutEdges())
      if (edge.getOutputTag() != null && edge.getOutputTag().getId().equals(tag)) send(edge, subtask, element);
  }

  private void send(StreamEdge edge, int subtask, StreamElement element) {
    work.add(() -> {
      try {
        Captured sink = captured.get(edge.getTargetId());
        if (sink != null) sink.accept(ScriptedNode.channelOf(graph, edge, subtask), element);
        else nodes.get(edge.getTargetId()).accept(edge, subtask, element);
      } catch (Exception thrown) {
        throw new IllegalStateException(thrown);
      }
    });
  }

  void read(ObjectMapper mapper, ObjectNode answer) throws Exception {
    ObjectNode rows = answer.putObject("rows");
    ObjectNode signals = answer.putObject("signals");
    for (Captured sink : captured.values()) {
      ArrayNode of = rows.putArray(sink.name);
      for (String row : sink.rows) of.add(mapper.readTree(row));
      sink.rows.clear();
      ArrayNode said = signals.putArray(sink.name);
      for (String signal : sink.signals) said.add(mapper.readTree(signal));
      sink.signals.clear();
    }
  }

  /** What a checkpoint has of each part of each operator, and what was read of the sinks. */
  static final class Snapshot {
    final Map<String, List<OperatorSubtaskState>> states = new HashMap<>();
    final Map<String, Captured.Said> said = new HashMap<>();
    long now;
  }

  Snapshot snapshot() throws Exception {
    Snapshot taken = new Snapshot();
    for (ScriptedNode node : nodes.values()) node.beforeBarrier();
    drain();
    for (ScriptedNode node : nodes.values()) taken.states.put(node.name(), node.snapshot());
    for (Captured sink : captured.values()) taken.said.put(sink.name, sink.said);
    taken.now = now;
    return taken;
  }

  void restore(Snapshot snapshot) throws Exception {
    for (ScriptedNode node : nodes.values()) node.close();
    for (int id : captured.keySet()) {
      Captured sink = captured.get(id);
      sink.open(ScriptedNode.channels(graph, graph.getStreamNode(id), 0));
      sink.said = snapshot.said.get(sink.name);
    }
    List<ScriptedNode> all = new ArrayList<>(nodes.values());
    for (ScriptedNode node : all) node.open(snapshot.states.get(node.name()), now);
    drain();
  }

  void close() throws Exception {
    for (ScriptedNode node : nodes.values()) node.close();
  }

  /** Sources that give nothing, and sinks that are only looked at. */
  private static final class Scripted implements JobGraph.Connectors {
    private final JsonNode lookups;

    Scripted(JsonNode lookups) {
      this.lookups = lookups;
    }

    @Override
    public Asking.Factory lookup(JsonNode operator) {
      return HttpAsking.Factory.of(operator.get("lookup"), lookups);
    }

    @Override
    public List<JobGraph.Source> source(StreamExecutionEnvironment env, JsonNode operator) {
      String uid = operator.get("uid").asText();
      SingleOutputStreamOperator<Elem> made =
          env.fromSource(new LinesSource(uid, "", ""), WatermarkStrategy.noWatermarks(), uid, Elem.TYPE);
      return List.of(new JobGraph.Source(made.setParallelism(1).uid(uid).name(uid)));
    }

    @Override
    public void sink(DataStream<Elem> rows, JsonNode operator) {
      looked(rows, operator.get("uid").asText());
    }

    @Override
    public void rejected(DataStream<Elem> rejections) {
      looked(rejections, "rejected elements");
    }

    private static void looked(DataStream<Elem> rows, String name) {
      rows.process(new Looked(), Elem.TYPE).name("Sink: " + name).setParallelism(1);
    }
  }

  /** The end of a stream, in the graph alone: {@link Captured} stands in its place. */
  private static final class Looked extends ProcessFunction<Elem, Elem> {
    private static final long serialVersionUID = 1;

    @Override
    public void processElement(Elem elem, Context context, Collector<Elem> out) {}
  }

  static WatermarkStatus status(StreamElement element) {
    return element.asWatermarkStatus();
  }
}
