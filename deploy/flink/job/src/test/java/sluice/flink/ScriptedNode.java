package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.TreeSet;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.streaming.api.graph.StreamEdge;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.runtime.partitioner.ForwardPartitioner;
import org.apache.flink.streaming.runtime.partitioner.KeyGroupStreamPartitioner;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedMultiInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.MultiInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.util.OutputTag;

/** One operator of a scripted run: a harness for each of its parts. */
final class ScriptedNode {
  /** Takes what came out. */
  interface Sent {
    void main(int node, int subtask, StreamElement element);
  }

  interface SentAside {
    void side(int node, int subtask, String tag, StreamElement element);
  }

  private final StreamGraph graph;
  private final StreamNode node;
  private final int maxParallelism;
  private final List<ScriptedPart> parts = new ArrayList<>();

  ScriptedNode(StreamGraph graph, StreamNode node, int maxParallelism) {
    this.graph = graph;
    this.maxParallelism = maxParallelism;
    this.node = node;
  }

  String name() {
    return node.getTransformationUID();
  }

  /** Channels of an input (0: the only one, or the first), as many as parts are upstream. */
  static int channels(StreamGraph graph, StreamNode node, int input) {
    int channels = 0;
    for (StreamEdge edge : node.getInEdges())
      if (inputOf(edge) == input) channels += upstream(graph, edge);
    return channels;
  }

  private static int upstream(StreamGraph graph, StreamEdge edge) {
    return edge.getPartitioner() instanceof ForwardPartitioner ? 1 : graph.getStreamNode(edge.getSourceId()).getParallelism();
  }

  private static int inputOf(StreamEdge edge) {
    return Math.max(0, edge.getTypeNumber() - 1);
  }

  static int channelOf(StreamGraph graph, StreamEdge edge, int subtask) {
    int channel = 0;
    for (StreamEdge other : graph.getStreamNode(edge.getTargetId()).getInEdges()) {
      if (inputOf(other) != inputOf(edge)) continue;
      if (other == edge) return channel + (edge.getPartitioner() instanceof ForwardPartitioner ? 0 : subtask);
      channel += upstream(graph, other);
    }
    throw new IllegalStateException("an edge of another node");
  }

  void open(List<OperatorSubtaskState> states, long now) throws Exception {
    parts.clear();
    int parallelism = node.getParallelism();
    for (int subtask = 0; subtask < parallelism; subtask++) {
      ScriptedPart part = new ScriptedPart(harness(subtask), inputs(), subtask, graph, node);
      part.harness.setup(Elem.Ser.INSTANCE);
      part.harness.setProcessingTime(now);
      if (states != null) part.harness.initializeState(stateOf(states, subtask));
      parts.add(part);
    }
    for (ScriptedPart part : parts) part.harness.open();
  }

  private OperatorSubtaskState stateOf(List<OperatorSubtaskState> states, int subtask) throws Exception {
    OperatorSubtaskState all =
        AbstractStreamOperatorTestHarness.repackageState(states.toArray(new OperatorSubtaskState[0]));
    int parallelism = node.getParallelism();
    return AbstractStreamOperatorTestHarness.repartitionOperatorState(
        all, maxParallelism, states.size(), parallelism, subtask);
  }

  private int inputs() {
    int inputs = 1;
    for (StreamEdge edge : node.getInEdges()) inputs = Math.max(inputs, inputOf(edge) + 1);
    return inputs;
  }

  private boolean isKeyed() {
    return node.getInEdges().get(0).getPartitioner() instanceof KeyGroupStreamPartitioner;
  }

  private AbstractStreamOperatorTestHarness<Elem> harness(int subtask) throws Exception {
    @SuppressWarnings("unchecked")
    StreamOperatorFactory<Elem> factory = (StreamOperatorFactory<Elem>) Copies.of(node.getOperatorFactory());
    int max = maxParallelism;
    int parallelism = node.getParallelism();
    KeySelector<Elem, String> key = elem -> elem.key;
    if (!(factory instanceof SimpleOperatorFactory)) {
      if (!isKeyed()) return new MultiInputStreamOperatorTestHarness<>(factory, max, parallelism, subtask);
      KeyedInputs keyed = new KeyedInputs(factory, max, parallelism, subtask);
      for (int input = 0; input < inputs(); input++) keyed.setKeySelector(input, key);
      return keyed;
    }
    StreamOperator<Elem> operator = ((SimpleOperatorFactory<Elem>) factory).getOperator();
    @SuppressWarnings("unchecked")
    OneInputStreamOperator<Elem, Elem> one = (OneInputStreamOperator<Elem, Elem>) operator;
    return isKeyed()
        ? new KeyedOneInputStreamOperatorTestHarness<>(one, key, Types.STRING, max, parallelism, subtask)
        : new OneInputStreamOperatorTestHarness<>(one, max, parallelism, subtask);
  }

  /** To the part that it belongs to, or all of them, as an edge's partitioner says. */
  void accept(StreamEdge edge, int from, StreamElement element) throws Exception {
    int channel = channelOf(graph, edge, from);
    int input = inputOf(edge);
    if (element.isRecord()) {
      StreamRecord<Elem> record = carried(element.asRecord());
      parts.get(partOf(edge, from, record.getValue())).record(input, record);
      return;
    }
    if (edge.getPartitioner() instanceof ForwardPartitioner) parts.get(from).signal(input, channel, element);
    else for (ScriptedPart part : parts) part.signal(input, channel, element);
  }

  private int partOf(StreamEdge edge, int from, Elem elem) {
    if (edge.getPartitioner() instanceof KeyGroupStreamPartitioner)
      return KeyGroupRangeAssignment.assignKeyToParallelOperator(elem.key, maxParallelism, parts.size());
    return edge.getPartitioner() instanceof ForwardPartitioner ? from : 0;
  }

  /** As it comes out of the network: by the serializer. */
  private static StreamRecord<Elem> carried(StreamRecord<Elem> record) throws Exception {
    DataOutputSerializer out = new DataOutputSerializer(256);
    Elem.Ser.INSTANCE.serialize(record.getValue(), out);
    Elem elem = Elem.Ser.INSTANCE.deserialize(new DataInputDeserializer(out.getCopyOfBuffer()));
    StreamRecord<Elem> carried = new StreamRecord<>(elem);
    if (record.hasTimestamp()) carried.setTimestamp(record.getTimestamp());
    return carried;
  }

  /** Gives what came out since the last call; says whether there was something. */
  boolean take(Sent sent, SentAside aside) {
    boolean any = false;
    TreeSet<String> tags = new TreeSet<>();
    for (StreamEdge edge : node.getOutEdges())
      if (edge.getOutputTag() != null) tags.add(edge.getOutputTag().getId());
    for (int subtask = 0; subtask < parts.size(); subtask++) {
      AbstractStreamOperatorTestHarness<Elem> harness = parts.get(subtask).harness;
      // What is said of time comes after the elements of all outputs.
      for (String tag : tags) {
        OutputTag<Elem> output = Ports.tag(tag);
        Queue<StreamRecord<Elem>> side = harness.getSideOutput(output);
        for (StreamRecord<Elem> record = poll(side); record != null; record = poll(side)) {
          aside.side(node.getId(), subtask, tag, record);
          any = true;
        }
      }
      for (Object next = harness.getOutput().poll(); next != null; next = harness.getOutput().poll()) {
        sent.main(node.getId(), subtask, (StreamElement) next);
        any = true;
      }
    }
    return any;
  }

  private static StreamRecord<Elem> poll(Queue<StreamRecord<Elem>> queue) {
    return queue == null ? null : queue.poll();
  }

  void clock(long ms) throws Exception {
    for (ScriptedPart part : parts) part.harness.setProcessingTime(ms);
  }

  /** Runs what waits in the mailboxes; says whether there was something. */
  boolean mails() throws Exception {
    boolean any = false;
    for (ScriptedPart part : parts)
      for (Optional<Mail> mail = part.mail(); mail.isPresent(); mail = part.mail()) {
        mail.get().run();
        any = true;
      }
    return any;
  }

  void beforeBarrier() throws Exception {
    for (ScriptedPart part : parts) part.harness.prepareSnapshotPreBarrier(1);
  }

  List<OperatorSubtaskState> snapshot() throws Exception {
    List<OperatorSubtaskState> states = new ArrayList<>();
    for (ScriptedPart part : parts) states.add(part.harness.snapshot(1, 1));
    return states;
  }

  void close() throws Exception {
    for (ScriptedPart part : parts) part.close();
    parts.clear();
  }

  /** The harness of several keyed inputs and several parts does not say what its keys are. */
  private static final class KeyedInputs extends KeyedMultiInputStreamOperatorTestHarness<String, Elem> {
    KeyedInputs(StreamOperatorFactory<Elem> factory, int max, int parallelism, int subtask) throws Exception {
      super(factory, max, parallelism, subtask);
      config.setStateKeySerializer(StringSerializer.INSTANCE);
      config.serializeAllConfigs();
    }
  }
}
