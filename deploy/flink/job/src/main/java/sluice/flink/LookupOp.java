package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * A look-up by a connector: elements wait for their answers in the engine's own queue
 * (runtime/lookup.ts), with its order, cache and retries; requests are made here.
 *
 * <p>1. Answers and timers come as mails of the task, one after the other. 2. While it takes no more
 * the task waits, and answers come in: that is the backpressure. 3. What waits is in the checkpoint,
 * and is asked for again after a restore. 4. It passes time on in line with what waits.
 */
final class LookupOp extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, ProcessingTimeService.ProcessingTimeCallback {
  private static final long serialVersionUID = 1;
  /** While a job ends there are no timers: how often it looks what time it is, in ms. */
  private static final long LAST_LOOK_MS = 5;

  private final Program program;
  private final String uid;
  private final Asking.Factory made;

  private transient Functions functions;
  private transient Scripted lookup;
  private transient Asking asking;
  private transient MailboxExecutor mails;
  private transient ListState<String> state;
  private transient Emitter emitter;
  private transient int waiting;
  private transient boolean isFull;
  /** When the timer is set that is next; MAX: none. */
  private transient long timer;
  private transient boolean isClosed;

  LookupOp(Program program, String uid, Asking.Factory made) {
    this.program = program;
    this.uid = uid;
    this.made = made;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    lookup = functions.of("lookup", uid, (double) now(), (double) (System.nanoTime() & 0x7fff_ffff));
    asking = made.open();
    mails = getContainingTask().getMailboxExecutorFactory().createExecutor(getOperatorConfig().getChainIndex());
    // It has no side output, and writes all that it gives.
    emitter = new Emitter(output, List.of());
    timer = Times.MAX;
    state = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("waiting", Types.STRING));
    List<String> saved = new ArrayList<>();
    for (String one : state.get()) saved.add(Json.quote(one));
    lookup.run("restore", "[" + String.join(",", saved) + "]", (double) now());
  }

  @Override
  public void open() throws Exception {
    super.open();
    emitter.emit(lookup.text("said"), List.of());
    settle();
  }

  private long now() {
    return getProcessingTimeService().getCurrentProcessingTime();
  }

  @Override
  public void processElement(StreamRecord<Elem> element) throws Exception {
    Elem elem = element.getValue();
    enter(elem.kind, element.hasTimestamp() ? element.getTimestamp() : 0, elem.json, elem.origin);
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    long at = mark.getTimestamp();
    // The end of time is that of input.
    enter(Elem.WATERMARK, at, at == Times.MAX ? "true" : "null", null);
  }

  @Override
  public void processWatermarkStatus(WatermarkStatus status) throws Exception {
    enter(status.isIdle() ? Elem.IDLE : Elem.ACTIVE, 0, "null", null);
  }

  private void enter(byte kind, long at, String json, String origin) throws Exception {
    while (isFull) mails.yield();
    String row = "[" + kind + "," + Times.text(at) + "," + (json == null ? "null" : json) + "]";
    emitter.emit(functions.call(lookup, "read", row, origin == null ? "" : "+" + origin), List.of());
    lookup.run("enter", (double) now());
    settle();
  }

  /** Makes the requests, and gives what is done, until nothing more comes of it. */
  private void settle() {
    // What a timer sets going is in the poll after the one in which it fires.
    for (int quiet = 0; quiet < 2; ) {
      Lines lines = new Lines(lookup.text("poll", (double) now()));
      String[] head = lines.next().split(" ", -1);
      waiting = Integer.parseInt(head[0]);
      isFull = head[1].equals("1");
      boolean gives = head[2].equals("1");
      boolean asks = lines.hasNext();
      while (lines.hasNext()) request(lines.next(), lines);
      if (gives) {
        emitter.emit(functions.call(lookup, "give"), List.of());
        lookup.run("given");
      }
      quiet = gives || asks ? 0 : quiet + 1;
      if (quiet == 2 && !head[3].isEmpty()) planTimer(Long.parseLong(head[3]));
    }
  }

  private void request(String line, Lines lines) {
    long number = Long.parseLong(line.substring(1));
    if (line.charAt(0) == 'A') asking.cancel(number);
    else asking.ask(number, lines.next(), new Mailed());
  }

  /** What came of a question, as a mail. */
  private final class Mailed implements Asking.Answers {
    @Override
    public void answer(long number, int status, String kind, String body, String after, String date) {
      mail("answer", (double) number, (double) status, kind, body, after, date);
    }

    @Override
    public void nothing(long number) {
      mail("nothing", (double) number);
    }

    @Override
    public void failed(long number, String reason) {
      mail("failed", (double) number, reason);
    }

    private void mail(String member, Object... arguments) {
      mails.execute(
          () -> {
            if (isClosed) return;
            lookup.run(member, arguments);
            settle();
          },
          "an answer to the look-up %s",
          uid);
    }
  }

  private void planTimer(long at) {
    if (at >= timer) return;
    timer = at;
    getProcessingTimeService().registerTimer(at, this);
  }

  @Override
  public void onProcessingTime(long at) {
    if (isClosed) return;
    if (at >= timer) timer = Times.MAX;
    settle();
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    state.update(List.of(lookup.text("snapshot")));
  }

  /** All answers come, however long that takes: a job that ends has no timers any more. */
  @Override
  public void finish() throws Exception {
    while (waiting > 0 && !isClosed) {
      if (!mails.tryYield()) Thread.sleep(LAST_LOOK_MS);
      settle();
    }
    super.finish();
  }

  @Override
  public void close() throws Exception {
    isClosed = true;
    if (asking != null) asking.close();
    if (functions != null) {
      lookup.run("close");
      functions.close();
    }
    functions = null;
    super.close();
  }
}
