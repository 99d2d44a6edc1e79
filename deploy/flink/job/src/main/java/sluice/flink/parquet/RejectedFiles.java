package sluice.flink.parquet;

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.flink.api.common.state.MapState;
import org.apache.flink.api.common.state.MapStateDescriptor;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.InternalTimer;
import org.apache.flink.streaming.api.operators.InternalTimerService;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.Triggerable;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import sluice.flink.Elem;

/**
 * The rows of the files of a folder of the rejected table, by identity. Before a checkpoint all rows of
 * each file that changed go to the writer, which replaces it: a reader finds an identity once.
 *
 * <p>1. A file that grew to {@link #FILE_MAX_BYTES} takes no more identities; a next one begins. 2. What
 * is known of a folder is let go at once, and only when no row of it can change any more: rows are kept
 * by {@link RejectedSeen} for a shorter time. 3. A folder that begins again has files of another name.
 */
final class RejectedFiles extends AbstractStreamOperator<Elem>
    implements OneInputStreamOperator<Elem, Elem>, Triggerable<String, VoidNamespace> {
  private static final long serialVersionUID = 1;
  /** Of rows as text: as enrich/rejected/rejected-sink.ts. */
  static final long FILE_MAX_BYTES = 2 << 20;
  private static final MapStateDescriptor<String, String> ROWS = new MapStateDescriptor<>("rows", Types.STRING, Types.STRING);
  private static final long KEPT_MS = RejectedSeen.KEPT.plus(Duration.ofDays(1)).toMillis();

  private final String prefix;
  /** By identity: the number of its file. */
  private transient MapState<String, Long> numbers;
  /** Of the folder's files. */
  private transient ValueState<String> name;
  /** The number of the last file, and its bytes. */
  private transient ValueState<Long> last;
  private transient ValueState<Long> bytes;
  /** When a row changed last. */
  private transient ValueState<Long> changedAt;
  private transient InternalTimerService<VoidNamespace> timers;
  /** By folder: the numbers of files that changed since the last checkpoint. */
  private transient Map<String, Set<Long>> changed;

  RejectedFiles(String prefix) {
    this.prefix = prefix;
  }

  @Override
  public void initializeState(StateInitializationContext context) throws Exception {
    super.initializeState(context);
    numbers = context.getKeyedStateStore().getMapState(new MapStateDescriptor<>("numbers", Types.STRING, Types.LONG));
    name = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("name", Types.STRING));
    last = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("last", Types.LONG));
    bytes = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("bytes", Types.LONG));
    changedAt = context.getKeyedStateStore().getState(new ValueStateDescriptor<>("changedAt", Types.LONG));
    changed = new LinkedHashMap<>();
  }

  @Override
  public void open() throws Exception {
    super.open();
    timers = getInternalTimerService("folders", VoidNamespaceSerializer.INSTANCE, this);
  }

  @Override
  public void processElement(StreamRecord<Elem> element) throws Exception {
    Elem row = element.getValue();
    long now = timers.currentProcessingTime();
    if (name.value() == null) {
      name.update(UUID.randomUUID().toString().replace("-", "").substring(0, 16));
      last.update(1L);
      bytes.update(0L);
      timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, now + KEPT_MS);
    }
    Long known = numbers.get(row.read);
    long number = known == null ? next(row.json.length()) : known;
    if (known == null) numbers.put(row.read, number);
    rows(number).put(row.read, row.json);
    changedAt.update(now);
    changed.computeIfAbsent(row.key, folder -> new TreeSet<>()).add(number);
  }

  /** Of a file, by identity, its cells: a namespace of its own, so that no other file's are read. */
  private MapState<String, String> rows(long number) throws Exception {
    return getPartitionedState(number, LongSerializer.INSTANCE, ROWS);
  }

  /** The number of the file that a new identity goes to. */
  private long next(int added) throws Exception {
    boolean full = bytes.value() >= FILE_MAX_BYTES;
    if (full) last.update(last.value() + 1);
    bytes.update((full ? 0 : bytes.value()) + added);
    return last.value();
  }

  @Override
  public void prepareSnapshotPreBarrier(long checkpoint) throws Exception {
    send();
  }

  @Override
  public void finish() throws Exception {
    send();
    super.finish();
  }

  private void send() throws Exception {
    for (Map.Entry<String, Set<Long>> folder : changed.entrySet()) {
      setCurrentKey(folder.getKey());
      for (long number : folder.getValue()) {
        String target = folder.getKey() + "/" + prefix + name.value() + "-" + number + ".parquet";
        for (String cells : rows(number).values()) output.collect(new StreamRecord<>(Elem.keyed(target, null, cells)));
      }
    }
    changed.clear();
  }

  @Override
  public void onProcessingTime(InternalTimer<String, VoidNamespace> timer) throws Exception {
    long over = changedAt.value() + KEPT_MS;
    if (over > timer.getTimestamp()) {
      timers.registerProcessingTimeTimer(VoidNamespace.INSTANCE, over);
      return;
    }
    for (long number = 1; number <= last.value(); number++) rows(number).clear();
    numbers.clear();
    name.clear();
    last.clear();
    bytes.clear();
    changedAt.clear();
  }

  @Override
  public void onEventTime(InternalTimer<String, VoidNamespace> timer) {}
}
