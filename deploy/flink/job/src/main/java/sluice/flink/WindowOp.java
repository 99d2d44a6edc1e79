package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Event-time windows by key: Flink's WindowOperator with EventTimeTrigger, and what that does not
 * have: the number of each pane (also of sessions), early firings of which one comes at most for
 * each move of the watermark, elements that an aggregate rejects, a watermark that is restored.
 * As topology/operators/window/operator.ts, whose invariants hold here.
 */
final class WindowOp extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, Triggerable<String, Long> {
  private static final long serialVersionUID = 1;
  private static final Long NEVER = null;

  private final Program program;
  private final WindowSettings settings;

  private transient Functions functions;
  private transient Scripted window;
  private transient HeldWindows windows;
  private transient InternalTimerService<Long> timers;
  private transient ListState<Long> marks;
  private transient long watermark;
  /** Windows whose last time is not after this are removed; elements not after it are late. */
  private transient long removedThrough;

  WindowOp(Program program, WindowSettings settings) {
    this.program = program;
    this.settings = settings;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    window = functions.of("window", settings.uid);
    MapState<Long, WindowState> kept =
        context.getKeyedStateStore().getMapState(new MapStateDescriptor<>("windows", Types.LONG, Types.POJO(WindowState.class)));
    windows = new HeldWindows(this, kept, window);
    marks = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("time", Types.LONG));
    // All parts said the same at one barrier; where one was behind, nothing may be late for it yet.
    watermark = Marks.least(marks.get(), 0, 2);
    removedThrough = Math.max(Marks.least(marks.get(), 1, 2), minus(watermark, settings.allowedLatenessMs));
  }

  @Override
  public void open() throws Exception {
    super.open();
    timers = getInternalTimerService("windows", LongSerializer.INSTANCE, this);
    Signals.watermark(watermark, output);
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    windows.write();
    super.snapshotState(context);
    marks.update(List.of(watermark, removedThrough));
  }

  @Override
  public void processElement(StreamRecord<Elem> record) throws Exception {
    Elem elem = record.getValue();
    long at = record.getTimestamp();
    List<WindowState> taking = new ArrayList<>();
    List<WindowState> replaced = new ArrayList<>();
    for (long start : settings.starts(at)) {
      WindowState found =
          settings.isSession() ? session(at, elem, replaced) : fixed(start, start + settings.lengthMs);
      if (found == REJECTED) return;
      if (found != null) taking.add(found);
    }
    List<String> accumulators = new ArrayList<>();
    for (WindowState one : taking) {
      if (windows.holds()) {
        windows.add(one, elem.read);
        accumulators.add(one.accumulators);
        continue;
      }
      String added = taken(functions.call(window, "add", one.accumulators, elem.read, text(elem.json), text(elem.origin)));
      // It changes none of its windows when one of them rejects it.
      if (added == null) return;
      accumulators.add(added);
    }
    if (taking.isEmpty()) {
      if (at <= removedThrough && settings.lateToSide) output.collect(Ports.LATE, record);
      return;
    }
    for (WindowState old : replaced) leave(old);
    for (int i = 0; i < taking.size(); i++) take(taking.get(i), at, accumulators.get(i), elem);
    windows.shrink();
  }

  /** Marks that the element was rejected. */
  private static final WindowState REJECTED = new WindowState();

  private static String text(String value) {
    return value == null ? "" : value;
  }

  /** What the functions gave; null for a rejection, which is sent. */
  private String taken(String text) {
    if (text.charAt(0) != 'R') return text.substring(1);
    reject(text);
    return null;
  }

  private void reject(String text) {
    Lines lines = new Lines(text);
    while (lines.hasNext())
      Ports.reject(output, lines.next().substring(1));
  }

  private WindowState fixed(long start, long end) throws Exception {
    if (end - 1 <= removedThrough) return null;
    WindowState known = windows.get(start);
    return known != null ? known : new WindowState(start, end);
  }

  /** The session that the element's own one becomes part of: merged first, then judged. */
  private WindowState session(long at, Elem elem, List<WindowState> replaced) throws Exception {
    long end = at + settings.lengthMs;
    List<WindowState> touched = new ArrayList<>();
    for (WindowState one : windows.values()) if (one.start <= end && one.end >= at) touched.add(one);
    if (touched.size() == 1) return touched.get(0);
    touched.sort((a, b) -> Long.compare(a.start, b.start));
    WindowState merged = new WindowState(at, end);
    for (WindowState one : touched) {
      merged.start = Math.min(merged.start, one.start);
      merged.end = Math.max(merged.end, one.end);
    }
    merged.id = merged.start;
    if (merged.end - 1 <= removedThrough) return null;
    for (WindowState one : touched) {
      if (!absorb(merged, one, elem)) return REJECTED;
      replaced.add(one);
    }
    return merged;
  }

  private boolean absorb(WindowState merged, WindowState one, Elem elem) {
    merged.fired = Math.max(merged.fired, one.fired);
    merged.changed |= one.changed;
    if (one.early != null) merged.early = merged.early == null ? one.early : Math.min(merged.early, one.early);
    if (one.accumulators == null) return true;
    if (merged.accumulators == null) {
      merged.accumulators = one.accumulators;
      return true;
    }
    merged.accumulators =
        taken(functions.call(window, "merge", merged.accumulators, one.accumulators, text(elem.json), text(elem.origin)));
    return merged.accumulators != null;
  }

  private void take(WindowState one, long at, String accumulators, Elem elem) throws Exception {
    if (one.isNew) plan(one);
    one.isNew = false;
    if (settings.isSession()) grow(one, at, at + settings.lengthMs);
    one.accumulators = accumulators;
    one.changed = true;
    if (one.end - 1 <= watermark) fire(one, "late");
    else if (settings.earlyMs > 0 && one.early == null) planEarly(one, settings.firstEarly(at));
    windows.put(one);
  }

  private void leave(WindowState old) throws Exception {
    cancel(old.id, old.timer, old.earlyTimer);
    cancel(old.id, old.earlyTimer, NEVER);
    windows.remove(old.id);
  }

  /** Timers of one window at one time are one timer. */
  private void cancel(long id, Long timer, Long other) {
    if (timer != null && !timer.equals(other)) timers.deleteEventTimeTimer(id, timer);
  }

  private void grow(WindowState one, long start, long end) {
    long before = one.end;
    one.start = Math.min(one.start, start);
    one.end = Math.max(one.end, end);
    if (one.end == before) return;
    long next = next(one);
    if (one.timer == null || one.timer > next) setTimer(one, next);
    if (one.early != null && one.early >= before - 1) planEarly(one, one.early);
  }

  private void plan(WindowState one) {
    setTimer(one, next(one));
    if (one.early != null) planEarly(one, one.early);
  }

  private long next(WindowState one) {
    return one.end - 1 > watermark ? one.end - 1 : settings.cleanup(one.end);
  }

  private void setTimer(WindowState one, long at) {
    cancel(one.id, one.timer, one.earlyTimer);
    one.timer = at == Times.MAX ? NEVER : (Long) at;
    if (one.timer != null) timers.registerEventTimeTimer(one.id, at);
  }

  private void planEarly(WindowState one, long at) {
    one.early = at;
    cancel(one.id, one.earlyTimer, one.timer);
    one.earlyTimer = at < one.end - 1 ? (Long) at : NEVER;
    if (one.earlyTimer != null) timers.registerEventTimeTimer(one.id, at);
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    long at = mark.getTimestamp();
    if (at <= watermark) return;
    watermark = at;
    removedThrough = Math.max(removedThrough, minus(at, settings.allowedLatenessMs));
    super.processWatermark(mark);
  }

  private static long minus(long time, long ms) {
    return time == Times.MIN || time == Times.MAX ? time : time - ms;
  }

  @Override
  public void onEventTime(InternalTimer<String, Long> timer) throws Exception {
    WindowState one = windows.get(timer.getNamespace());
    if (one == null) return;
    long at = timer.getTimestamp();
    if (one.earlyTimer != null && one.earlyTimer == at) early(one, at);
    if (one.timer != null && one.timer == at && !due(one, at)) {
      windows.remove(one.id);
      return;
    }
    windows.put(one);
    windows.shrink();
  }

  private void early(WindowState one, long at) {
    one.earlyTimer = NEVER;
    if (one.changed) fire(one, "early");
    // Nothing changes while the watermark moves: the next that can fire is beyond it.
    if (watermark == Times.MAX) one.early = at;
    else planEarly(one, Math.max(at, settings.firstEarly(watermark)));
  }

  /** Says whether the window stays. */
  private boolean due(WindowState one, long at) {
    one.timer = NEVER;
    if (at == one.end - 1) fire(one, "onTime");
    long cleanup = settings.cleanup(one.end);
    if (at >= cleanup) {
      cancel(one.id, one.earlyTimer, NEVER);
      return false;
    }
    setTimer(one, at < one.end - 1 ? one.end - 1 : cleanup);
    return true;
  }

  private void fire(WindowState one, String timing) {
    one.changed = false;
    if (one.isEmpty()) return;
    boolean last = settings.cleanup(one.end) <= watermark && !timing.equals("early");
    String text =
        functions.call(
            window, "fire", one.slot >= 0 ? (Object) one.slot : one.accumulators, (String) getCurrentKey(), (double) one.start, (double) one.end, one.fired, timing, last);
    one.fired++;
    if (settings.discarding) windows.clear(one);
    if (text.charAt(0) == 'R') {
      reject(text);
      return;
    }
    output.collect(new StreamRecord<>(Elem.of(text.substring(1), null), one.end - 1));
  }

  @Override
  public void onProcessingTime(InternalTimer<String, Long> timer) {
    throw new IllegalStateException("a window has no timers of processing time");
  }

  @Override
  public void close() throws Exception {
    if (functions != null) functions.close();
    functions = null;
    super.close();
  }
}
