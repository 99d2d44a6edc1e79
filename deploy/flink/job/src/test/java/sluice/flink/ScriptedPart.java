package sluice.flink;

import java.util.Optional;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamElement;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.StatusWatermarkValve;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.MultiInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;

/** One part of an operator, with the valve of each input. */
final class ScriptedPart {
  final AbstractStreamOperatorTestHarness<Elem> harness;
  private final Valve[] valves;

  ScriptedPart(AbstractStreamOperatorTestHarness<Elem> harness, int inputs, int subtask, StreamGraph graph, StreamNode node) {
    this.harness = harness;
    valves = new Valve[inputs];
    for (int input = 0; input < inputs; input++)
      valves[input] = new Valve(input, ScriptedNode.channels(graph, node, input));
  }

  @SuppressWarnings("unchecked")
  void record(int input, StreamRecord<Elem> record) throws Exception {
    if (harness instanceof OneInputStreamOperatorTestHarness)
      ((OneInputStreamOperatorTestHarness<Elem, Elem>) harness).processElement(record);
    else ((MultiInputStreamOperatorTestHarness<Elem>) harness).processElement(input, record);
  }

  Optional<Mail> mail() {
    return harness.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY);
  }

  /** As a task that fails: nothing is waited for. */
  void close() throws Exception {
    if (operator() instanceof LookupOp) operator().close();
    harness.close();
  }

  private StreamOperator<?> operator() {
    return harness instanceof OneInputStreamOperatorTestHarness
        ? ((OneInputStreamOperatorTestHarness<?, ?>) harness).getOperator()
        : null;
  }

  void signal(int input, int channel, StreamElement element) throws Exception {
    Valve valve = valves[input];
    if (element.isWatermark()) valve.valve.inputWatermark(element.asWatermark(), channel, valve);
    else if (element.isWatermarkStatus()) valve.valve.inputWatermarkStatus(element.asWatermarkStatus(), channel, valve);
  }

  /** What a task has in front of an input of an operator. */
  private final class Valve implements Reached {
    private final int input;
    final StatusWatermarkValve valve;

    Valve(int input, int channels) {
      this.input = input;
      valve = new StatusWatermarkValve(channels);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void emitWatermark(Watermark mark) throws Exception {
      if (harness instanceof OneInputStreamOperatorTestHarness)
        ((OneInputStreamOperatorTestHarness<Elem, Elem>) harness).processWatermark(mark);
      else ((MultiInputStreamOperatorTestHarness<Elem>) harness).processWatermark(input, mark);
    }

    @Override
    @SuppressWarnings("unchecked")
    public void emitWatermarkStatus(WatermarkStatus status) throws Exception {
      if (harness instanceof OneInputStreamOperatorTestHarness)
        ((OneInputStreamOperatorTestHarness<Elem, Elem>) harness).processWatermarkStatus(status);
      else ((MultiInputStreamOperatorTestHarness<Elem>) harness).processWatermarkStatus(input, status);
    }

    @Override
    public void emitRecord(StreamRecord<Elem> record) {
      throw new IllegalStateException("records go beside the valve");
    }
  }
}
