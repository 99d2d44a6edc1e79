package sluice.flink;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.util.OutputTag;

/**
 * A segment: fused nodes without keyed state, one call of the functions a batch of rows.
 *
 * <p>1. The batch is sent when it is full, before a watermark, before a barrier, at the end, and at
 * the latest at the next tick: none of it is ever in a checkpoint. What is said of time or splits
 * ends a batch. 2. A timed segment makes the watermarks itself, per split, and keeps what it knows of
 * splits in operator state, of all parts at a restore, until the reader beside it says which splits it
 * reads; the watermark that it restores is said again, so that what is behind knows it. 3. Every other passes time on as it comes.
 */
final class SegmentOp extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, ProcessingTimeService.ProcessingTimeCallback {
  private static final long serialVersionUID = 1;

  /** A batch is sent when it has that many characters: one record may be many megabytes. */
  private static final int BATCH_MAX_CHARS = 262_144;

  private final Program program;
  private final String kind;
  private final String uid;
  private final boolean timed;
  private final int batchRows;
  private final long tickMs;
  /** By output; the first is the main one. */
  private final List<OutputTag<Elem>> outputs;

  private int places;
  /** Of what enters; else null. */
  private Map<String, JsonNode> from;

  private transient Positions positions;
  private transient Functions functions;
  private transient Scripted segment;
  private transient StringBuilder rows;
  /** The elements of the batch by number: what the functions give on as it is stays here. */
  private transient List<Elem> elements;
  private transient StringBuilder origins;
  private transient int count;
  private transient ListState<String> state;
  private transient Emitter emitter;
  private transient long clock;

  /** {@code tickMs}: between the periodic emissions; 0: none but those that come in. */
  SegmentOp(Program program, String uid, boolean timed, List<String> ports, int batchRows, long tickMs) {
    this(program, "segment", uid, timed, ports, batchRows, tickMs);
  }

  private SegmentOp(Program program, String kind, String uid, boolean timed, List<String> ports, int batchRows, long tickMs) {
    this.program = program;
    this.kind = kind;
    this.uid = uid;
    this.timed = timed;
    this.batchRows = batchRows;
    this.tickMs = tickMs;
    outputs = new ArrayList<>();
    for (String port : ports) outputs.add(Ports.tag(port));
  }

  /**
   * What turns the records of a source into elements: no node, but rows in, rows out as well. It
   * keeps how far each split was read. {@code from}: by route, where the source begins.
   */
  static SegmentOp enter(Program program, String source, Map<String, JsonNode> from, int batchRows, long tickMs) {
    SegmentOp made = new SegmentOp(program, "enter", source, false, List.of("out"), batchRows, tickMs);
    made.from = from;
    return made;
  }

  /** Of a timed one: how many readers of splits are in front of it. */
  SegmentOp expects(int readers) {
    places = readers;
    return this;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    functions = Functions.acquire(program);
    segment = functions.of(kind, uid);
    rows = new StringBuilder();
    elements = new ArrayList<>();
    origins = new StringBuilder();
    emitter = new Emitter(output, outputs);
    clock = Long.MIN_VALUE;
    if (from != null) {
      positions = new Positions();
      positions.open(uid, from, getRuntimeContext(), context);
    }
    if (!timed) return;
    segment.run("expect", places);
    // A split may be read beside another part now: each is told what all parts knew.
    state = context.getOperatorStateStore().getUnionListState(new ListStateDescriptor<>("splits", Types.STRING));
    StringJoiner known = new StringJoiner(",", "[", "]");
    for (String snapshot : state.get()) known.add(snapshot);
    if (known.length() > 2) segment.run("restore", known.toString());
  }

  @Override
  public void open() throws Exception {
    super.open();
    if (timed) emitter.emit(segment.text("said"), elements);
    if (tickMs > 0) planTick();
  }

  private void planTick() {
    ProcessingTimeService time = getProcessingTimeService();
    time.registerTimer(time.getCurrentProcessingTime() + tickMs, this);
  }

  @Override
  public void onProcessingTime(long at) {
    if (timed) add(Elem.TICK, at, "null");
    send();
    planTick();
  }

  @Override
  public void processElement(StreamRecord<Elem> element) {
    Elem elem = element.getValue();
    if (elem.kind != Elem.ELEMENT && elem.kind != Elem.RECORD) {
      add(elem.kind, element.getTimestamp(), elem.json);
      send();
      return;
    }
    if (positions != null && elem.kind == Elem.RECORD) read(elem);
    add(elem.kind, element.hasTimestamp() ? element.getTimestamp() : 0, elem.json);
    if (elem.kind == Elem.ELEMENT) keep(elem);
    if (count >= batchRows || rows.length() >= BATCH_MAX_CHARS) send();
  }

  private void keep(Elem elem) {
    if (!elements.isEmpty()) origins.append('\n');
    if (elem.origin != null) origins.append(isRare(elem.origin) ? "+" : "").append(elem.origin);
    elements.add(elem);
  }

  /** Whether it may have a member that few have: a text without the name has no such member. */
  private static boolean isRare(String origin) {
    return origin.contains("\"inexact\":") || origin.contains("\"element\":");
  }

  /** What is in the batch has left it before a snapshot. */
  private void read(Elem record) {
    int end = record.key.indexOf(' ');
    positions.read(record.key.substring(0, end), record.key.substring(end + 1), record.read);
  }

  private void add(byte kind, long at, String json) {
    if (count == 0 && timed) clock();
    rows.append(count++ == 0 ? '[' : ',').append(kind).append(',').append(Times.text(at));
    rows.append(',').append(json == null ? "null" : json);
  }

  /** What is in the future is judged by the time at which a batch begins. */
  private void clock() {
    long now = getProcessingTimeService().getCurrentProcessingTime();
    if (now == clock) return;
    clock = now;
    rows.append('[').append(Elem.CLOCK).append(',').append(now).append(",null");
    count++;
  }

  private void send() {
    if (count == 0) return;
    String batch = rows.append(']').toString();
    rows.setLength(0);
    count = 0;
    String from = origins.toString();
    origins.setLength(0);
    emitter.emit(functions.call(segment, "run", batch, from), elements);
    elements.clear();
  }

  @Override
  public void processWatermark(Watermark mark) throws Exception {
    send();
    if (!timed) {
      super.processWatermark(mark);
      return;
    }
    // Time is made here: all that comes from before is the end of input.
    if (mark.getTimestamp() != Times.MAX) return;
    add(Elem.WATERMARK, Times.MAX, "true");
    send();
  }

  @Override
  public void processWatermarkStatus(WatermarkStatus status) throws Exception {
    send();
    if (!timed) super.processWatermarkStatus(status);
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpoint) {
    // How long a split has been quiet is a part of the state.
    if (timed && count == 0) clock();
    send();
  }

  @Override
  public void snapshotState(StateSnapshotContext context) throws Exception {
    super.snapshotState(context);
    if (positions != null) positions.snapshot();
    if (timed) state.update(List.of(segment.text("snapshot")));
  }

  @Override
  public void finish() throws Exception {
    send();
    super.finish();
  }

  @Override
  public void close() throws Exception {
    if (positions != null) positions.close();
    if (functions != null) functions.close();
    functions = null;
    super.close();
  }
}
