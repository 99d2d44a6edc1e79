package sluice.flink;

import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Lets the first element of a key pass within a time: by event time, where Flink's deduplication
 * keeps state by processing time. As topology/operators/deduplicate/operator.ts.
 */
final class DeduplicateOp extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, Triggerable<String, VoidNamespace> {
  private static final long serialVersionUID = 1;

  private final long withinMs;
  private final boolean lateToSide;
  private transient ValueState<Long> first;
  private transient InternalTimerService<VoidNamespace> timers;
  private transient ListState<Long> marks;
  private transient long watermark;
  /** Elements not after this are late. */
  private transient long forgottenThrough;

  DeduplicateOp(long withinMs, boolean lateToSide) {
    this.withinMs = withinMs;
    this.lateToSide = lateToSide;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    first = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("first", Types.LONG));
    marks = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("time", Types.LONG));
    watermark = Marks.least(marks.get(), 0, 2);
    // With a shorter time than before some are over.
    forgottenThrough = Math.max(Marks.least(marks.get(), 1, 2), before(watermark));
  }

  @Override
  public void open() throws Exception {
    super.open();
    timers = getInternalTimerService("first", VoidNamespaceSerializer.INSTANCE, this);
    Signals.watermark(watermark, output);
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    marks.update(List.of(watermark, forgottenThrough));
  }

  private long before(long at) {
    return at == Times.MIN || at == Times.MAX ? at : at - withinMs;
  }

  @Override
  public void processElement(StreamRecord<Elem> record) throws Exception {
    Elem elem = record.getValue();
    long at = record.getTimestamp();
    if (at <= forgottenThrough) {
      if (lateToSide) output.collect(Ports.LATE, record);
      return;
    }
    // What is read of it is why it has no key.
    if (elem.read != null) {
      Ports.reject(output, elem.read.substring(1));
      return;
    }
    Long known = first.value();
    if (known != null && known > forgottenThrough) return;
    first.update(at);
    timers.registerEventTimeTimer(VoidNamespace.INSTANCE, at + withinMs);
    output.collect(record);
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (mark.getTimestamp() <= watermark) return;
    watermark = mark.getTimestamp();
    forgottenThrough = Math.max(forgottenThrough, before(watermark));
    super.processWatermark(mark);
  }

  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    Long known = first.value();
    if (known != null && known + withinMs <= timer.getTimestamp()) first.clear();
  }

  @Override
  public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) {
    throw new IllegalStateException("it has no timers of processing time");
  }
}
