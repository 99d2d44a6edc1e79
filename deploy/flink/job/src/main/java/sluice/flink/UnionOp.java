package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractInput;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorV2;
import org.apache.flink.streaming.api.operators.Input;
import org.apache.flink.streaming.api.operators.MultipleInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * Several streams as one. Flink merges the channels of a union by itself; its rule for idle inputs
 * depends on which one fell idle last (before FLINK-40475), and forgets all at a restore. Here each
 * input counts by the engine's own rule, which is state.
 */
final class UnionOp extends AbstractStreamOperatorV2<Elem> implements MultipleInputStreamOperator<Elem> {
  private final Program program;
  private final boolean merges;
  private final List<Input> inputs = new ArrayList<>();
  private Functions functions;
  private InputMerge merge;
  private ListState<String> state;

  private UnionOp(StreamOperatorParameters<Elem> parameters, Program program, int count, boolean merges) {
    super(parameters, count);
    this.program = program;
    this.merges = merges;
    for (int i = 1; i <= count; i++) inputs.add(new One(this, i));
  }

  @Override
  @SuppressWarnings("rawtypes")
  public List<Input> getInputs() {
    return inputs;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    merge = new InputMerge(functions, inputs.size(), "valve");
    state = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("inputs", Types.STRING));
    // All parts have seen the same; another number of inputs is told from it by the functions.
    for (String snapshot : state.get()) merge.restore(snapshot);
  }

  @Override
  public void open() throws Exception {
    super.open();
    say(merge.said());
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    state.update(List.of(merge.snapshot()));
  }

  @Override
  public void close() throws Exception {
    if (functions != null) functions.close();
    functions = null;
    super.close();
  }

  private void say(String signals) {
    Lines lines = new Lines(signals);
    while (lines.hasNext()) Signals.emit(lines.next(), output);
  }

  private final class One extends AbstractInput<Elem, Elem> {
    One(AbstractStreamOperatorV2<Elem> owner, int id) {
      super(owner, id);
    }

    @Override
    public void processElement(StreamRecord<Elem> element) {
      output.collect(element);
    }

    @Override
    public void processWatermark(Watermark mark) {
      if (merges || mark.getTimestamp() == Times.MAX) say(merge.advance(inputId - 1, mark));
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) {
      if (merges) say(merge.status(inputId - 1, status));
    }
  }

  /** Makes it in the task. */
  static final class Factory extends AbstractStreamOperatorFactory<Elem> {
    private static final long serialVersionUID = 1;
    private final Program program;
    private final int inputs;
    private final boolean merges;

    Factory(Program program, int inputs, boolean merges) {
      this.program = program;
      this.inputs = inputs;
      this.merges = merges;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<Elem>> T createStreamOperator(StreamOperatorParameters<Elem> parameters) {
      return (T) new UnionOp(parameters, program, inputs, merges);
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
      return UnionOp.class;
    }
  }
}
