package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.StringSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractInput;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorV2;
import org.apache.flink.streaming.api.operators.Input;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.MultipleInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;

/**
 * Joins two keyed inputs by an interval of their times, as Flink's IntervalJoinOperator keeps its
 * rows, and what that does not have: left joins with the watermark held back, so that an unmatched
 * row is not late behind it; a watermark and inputs' states that are restored; pairs that the
 * function rejects. As topology/operators/interval-join/operator.ts.
 */
final class IntervalJoinOp extends AbstractStreamOperatorV2<Elem>
    implements MultipleInputStreamOperator<Elem>, Triggerable<String, String> {
  private static final String LEFT = "left";
  private static final String RIGHT = "right";

  private final Program program;
  private final String uid;
  private final long lowerMs;
  private final long upperMs;
  private final boolean isLeft;
  private final boolean lateToSide;
  private final List<Input> sides = new ArrayList<>();

  private Functions functions;
  private Scripted join;
  private InputMerge merge;
  private MapState<Long, List<JoinRow>> lefts;
  private MapState<Long, List<JoinRow>> rights;
  private InternalTimerService<String> timers;
  private ListState<String> inputs;
  private ListState<Long> marks;
  private long watermark;

  private IntervalJoinOp(StreamOperatorParameters<Elem> parameters, Factory settings) {
    super(parameters, 2);
    program = settings.program;
    uid = settings.uid;
    lowerMs = settings.lowerMs;
    upperMs = settings.upperMs;
    isLeft = settings.isLeft;
    lateToSide = settings.lateToSide;
    sides.add(new Side(this, 1));
    sides.add(new Side(this, 2));
  }

  @Override
  @SuppressWarnings("rawtypes")
  public List<Input> getInputs() {
    return sides;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    join = functions.of("join", uid);
    merge = new InputMerge(functions, 2, "combined");
    lefts = context.getKeyedStateStore().getMapState(rowsOf(LEFT));
    rights = context.getKeyedStateStore().getMapState(rowsOf(RIGHT));
    inputs = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("inputs", Types.STRING));
    marks = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("time", Types.LONG));
    for (String snapshot : inputs.get()) merge.restore(snapshot);
    watermark = Marks.least(marks.get(), 0, 1);
  }

  @Override
  public void open() throws Exception {
    super.open();
    timers = getInternalTimerService("rows", StringSerializer.INSTANCE, this);
    Signals.again(merge.said(), this::forwarded, output);
  }

  private long forwarded(long at) {
    return isLeft && at != Times.MAX ? at - staysMs(LEFT) - 1 : at;
  }

  private static MapStateDescriptor<Long, List<JoinRow>> rowsOf(String side) {
    return new MapStateDescriptor<>(side, Types.LONG, Types.LIST(Types.POJO(JoinRow.class)));
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    inputs.update(List.of(merge.snapshot()));
    marks.update(List.of(watermark));
  }

  /** How long rows of a side stay after their time. */
  private long staysMs(String side) {
    return Math.max(side.equals(LEFT) ? upperMs : -lowerMs, 0);
  }

  private void left(StreamRecord<Elem> record) throws Exception {
    long at = record.getTimestamp();
    if (isLate(record, Ports.LATE_LEFT)) return;
    JoinRow row = new JoinRow(record.getValue());
    for (Map.Entry<Long, List<JoinRow>> bucket : rights.entries()) {
      long other = bucket.getKey();
      if (other < at + lowerMs || other > at + upperMs) continue;
      for (JoinRow right : bucket.getValue())
        // Of what is in state the record is no longer known.
        if (give(row, right, Math.max(at, other), isLeft ? RIGHT : LEFT, !isLeft)) row.matched = true;
    }
    keep(lefts, LEFT, at, row);
  }

  private void right(StreamRecord<Elem> record) throws Exception {
    long at = record.getTimestamp();
    if (isLate(record, Ports.LATE_RIGHT)) return;
    JoinRow row = new JoinRow(record.getValue());
    for (Map.Entry<Long, List<JoinRow>> bucket : lefts.entries()) {
      long other = bucket.getKey();
      if (other < at - upperMs || other > at - lowerMs) continue;
      boolean changed = false;
      for (JoinRow left : bucket.getValue()) {
        boolean matched = give(left, row, Math.max(at, other), RIGHT, true);
        changed |= matched && !left.matched;
        left.matched |= matched;
      }
      if (changed && isLeft) bucket.setValue(bucket.getValue());
    }
    keep(rights, RIGHT, at, row);
  }

  private boolean isLate(StreamRecord<Elem> record, OutputTag<Elem> side) {
    if (record.getTimestamp() >= watermark) return false;
    if (lateToSide) output.collect(side, record);
    return true;
  }

  private void keep(MapState<Long, List<JoinRow>> rows, String side, long at, JoinRow row) throws Exception {
    List<JoinRow> bucket = rows.get(at);
    if (bucket == null) bucket = new ArrayList<>();
    bucket.add(row);
    rows.put(at, bucket);
    timers.registerEventTimeTimer(side, at + staysMs(side));
  }

  /** Gives what the function makes of both; says whether it did not throw. */
  private boolean give(JoinRow left, JoinRow right, long at, String rejects, boolean withOrigin) {
    String given =
        functions.call(
            join,
            "give",
            left.json,
            text(left.origin),
            right == null ? "" : right.json,
            right == null ? "" : text(right.origin),
            rejects,
            withOrigin);
    if (given.charAt(0) == 'R') {
      Lines lines = new Lines(given);
      while (lines.hasNext())
        Ports.reject(output, lines.next().substring(1));
      return false;
    }
    Lines lines = new Lines(given.substring(1));
    String origin = lines.nextOrNull();
    output.collect(new StreamRecord<>(Elem.of(lines.next(), origin), at));
    return true;
  }

  private static String text(String value) {
    return value == null ? "" : value;
  }

  private void say(String signals) throws Exception {
    Lines lines = new Lines(signals);
    while (lines.hasNext()) {
      String line = lines.next();
      if (line.charAt(0) != 'W') {
        Signals.emit(line, output);
        continue;
      }
      long at = Times.decode(line.substring(1));
      watermark = at;
      if (getTimeServiceManager().isPresent()) getTimeServiceManager().get().advanceWatermark(new Watermark(at));
      output.emitWatermark(new Watermark(forwarded(at)));
    }
  }

  /** Rows of one time leave: their last match may have come at this very watermark. */
  @Override
  public void onEventTime(InternalTimer<String, String> timer) throws Exception {
    String side = timer.getNamespace();
    long at = timer.getTimestamp() - staysMs(side);
    MapState<Long, List<JoinRow>> rows = side.equals(LEFT) ? lefts : rights;
    List<JoinRow> leaving = rows.get(at);
    if (leaving == null) return;
    rows.remove(at);
    if (!isLeft || side.equals(RIGHT)) return;
    for (JoinRow row : leaving) if (!row.matched) give(row, null, at, LEFT, false);
  }

  @Override
  public void onProcessingTime(InternalTimer<String, String> timer) {
    throw new IllegalStateException("a join has no timers of processing time");
  }

  @Override
  public void close() throws Exception {
    if (functions != null) functions.close();
    functions = null;
    super.close();
  }

  private final class Side extends AbstractInput<Elem, Elem> {
    Side(AbstractStreamOperatorV2<Elem> owner, int id) {
      super(owner, id);
    }

    @Override
    public void processElement(StreamRecord<Elem> record) throws Exception {
      if (inputId == 1) left(record);
      else right(record);
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
      say(merge.advance(inputId - 1, mark));
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
      say(merge.status(inputId - 1, status));
    }
  }

  /** Its settings; makes it in the task. */
  static final class Factory extends AbstractStreamOperatorFactory<Elem> {
    private static final long serialVersionUID = 1;
    private final Program program;
    private final String uid;
    private final long lowerMs;
    private final long upperMs;
    private final boolean isLeft;
    private final boolean lateToSide;

    Factory(Program program, String uid, long lowerMs, long upperMs, boolean isLeft, boolean lateToSide) {
      this.program = program;
      this.uid = uid;
      this.lowerMs = lowerMs;
      this.upperMs = upperMs;
      this.isLeft = isLeft;
      this.lateToSide = lateToSide;
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T extends StreamOperator<Elem>> T createStreamOperator(StreamOperatorParameters<Elem> parameters) {
      return (T) new IntervalJoinOp(parameters, this);
    }

    @Override
    @SuppressWarnings("rawtypes")
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
      return IntervalJoinOp.class;
    }
  }
}
