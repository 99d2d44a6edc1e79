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
 * An author's function with state and timers per key, as Flink's KeyedProcessOperator. The key's
 * state is text that the functions read and write (topology/state/key-state.ts), its timers are
 * Flink's. What the function does comes back as commands: nothing is done when it throws.
 */
final class ProcessOp extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, Triggerable<String, VoidNamespace> {
  private static final long serialVersionUID = 1;

  private final Program program;
  private final String uid;
  private transient Functions functions;
  private transient Scripted process;
  private transient ValueState<String> state;
  private transient InternalTimerService<VoidNamespace> timers;
  /** When the next look at a key is due that has something that expires. */
  private transient ValueState<Long> look;
  private transient InternalTimerService<VoidNamespace> looks;
  private transient ListState<Long> marks;
  private transient long watermark;
  /** Processing time: it does not go back, also where the clock of a new run does. */
  private transient long now;

  ProcessOp(Program program, String uid) {
    this.program = program;
    this.uid = uid;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    process = functions.of("process", uid);
    state = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("state", Types.STRING));
    look = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("look", Types.LONG));
    marks = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("time", Types.LONG));
    watermark = Marks.least(marks.get(), 0, 2);
    now = Math.max(0, Marks.least(marks.get(), 1, 2));
    process.run("end", "event", Times.encode(watermark));
  }

  @Override
  public void open() throws Exception {
    super.open();
    timers = getInternalTimerService("timers", VoidNamespaceSerializer.INSTANCE, this);
    looks = getInternalTimerService("expiry", VoidNamespaceSerializer.INSTANCE, new Expiry());
    Signals.watermark(watermark, output);
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    marks.update(List.of(watermark, now()));
  }

  private long now() {
    now = Math.max(now, getProcessingTimeService().getCurrentProcessingTime());
    return now;
  }

  @Override
  public void processElement(StreamRecord<Elem> record) throws Exception {
    Elem elem = record.getValue();
    long at = record.getTimestamp();
    apply(
        functions.call(process, "element", elem.key, text(state.value()), (double) at, Times.encode(watermark), (double) now(), elem.json, text(elem.origin)),
        at);
  }

  private static String text(String value) {
    return value == null ? "" : value;
  }

  private void apply(String given, long at) throws Exception {
    Lines lines = new Lines(given);
    while (lines.hasNext()) {
      String line = lines.next();
      String rest = line.substring(1);
      switch (line.charAt(0)) {
        case 'E':
          output.collect(new StreamRecord<>(Elem.of(lines.next(), rest.isEmpty() ? null : rest), at));
          break;
        case 'R':
          Ports.reject(output, rest);
          break;
        case 'X':
          expires(Long.parseLong(rest));
          break;
        case 'S':
          if (rest.isEmpty()) state.clear();
          else state.update(rest);
          break;
        default:
          timer(line.charAt(0) == '+', rest.charAt(0) == 'e', Long.parseLong(rest.substring(1)));
      }
    }
  }

  /** One look at a time waits for a key: state that is used again and again is not looked at each time. */
  private void expires(long at) throws Exception {
    if (look.value() != null) return;
    look.update(at);
    looks.registerProcessingTimeTimer(VoidNamespace.INSTANCE, at);
  }

  /** State that nobody uses any more goes when it expires. */
  private final class Expiry implements Triggerable<String, VoidNamespace> {
    @Override
    public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
      look.clear();
      String stored = state.value();
      if (stored == null) return;
      apply(functions.call(process, "expire", (String) getCurrentKey(), stored, (double) now()), timer.getTimestamp());
    }

    @Override
    public void onEventTime(InternalTimer<String, VoidNamespace> timer) {
      throw new IllegalStateException("state does not expire by event time");
    }
  }

  private void timer(boolean set, boolean isEvent, long at) {
    VoidNamespace space = VoidNamespace.INSTANCE;
    if (isEvent && set) timers.registerEventTimeTimer(space, at);
    else if (isEvent) timers.deleteEventTimeTimer(space, at);
    else if (set) timers.registerProcessingTimeTimer(space, at);
    else timers.deleteProcessingTimeTimer(space, at);
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    if (mark.getTimestamp() <= watermark) return;
    watermark = mark.getTimestamp();
    Object until = Times.encode(watermark);
    process.run("begin", until);
    if (getTimeServiceManager().isPresent()) getTimeServiceManager().get().advanceWatermark(mark);
    process.run("end", "event", until);
    output.emitWatermark(mark);
  }

  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    fire(timer.getTimestamp(), "event");
  }

  @Override
  public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    process.run("begin", (double) now());
    fire(timer.getTimestamp(), "processing");
    process.run("end", "processing", (double) now);
  }

  private void fire(long at, String domain) throws Exception {
    String key = (String) getCurrentKey();
    apply(
        functions.call(process, "timer", key, text(state.value()), (double) at, Times.encode(watermark), (double) now(), domain),
        at);
  }

  @Override
  public void close() throws Exception {
    if (functions != null) functions.close();
    functions = null;
    super.close();
  }
}
