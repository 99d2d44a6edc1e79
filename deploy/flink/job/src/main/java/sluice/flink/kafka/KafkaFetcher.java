package sluice.flink.kafka;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sluice.flink.ClaimStore;
import sluice.flink.Claims;
import sluice.flink.RawRecord;

/**
 * The thread that has the consumer: fetches, looks where quiet partitions end, and commits offsets.
 *
 * <p>1. What is handed over comes in the order in which it was fetched; that a partition's end was
 * found comes behind its records. 2. What waits for the task is bounded. 3. A failure is thrown at
 * the task, which Flink starts again; nothing is gone past unless the settings say so.
 */
final class KafkaFetcher extends Thread {
  private static final Logger LOG = LoggerFactory.getLogger(KafkaFetcher.class);
  private static final Duration POLL = Duration.ofMillis(200);
  private static final Duration ASK = Duration.ofSeconds(5);
  /** Between two looks at where quiet partitions end. */
  private static final long HEAR_MS = 500;
  /** Values that wait for the task; one fetch more may come. */
  private static final long WAITING_MAX_BYTES = 16L << 20;
  private static final long CLOSE_MS = 10_000;

  /** Records, or that the end of a split was found. */
  static final class Fetched {
    final List<RawRecord> records;
    final long bytes;
    final String split;
    final long heardMs;

    private Fetched(List<RawRecord> records, long bytes, String split, long heardMs) {
      this.records = records;
      this.bytes = bytes;
      this.split = split;
      this.heardMs = heardMs;
    }
  }

  private final KafkaSettings settings;
  private final Claims claims;
  /* Of the consumer's thread. */
  private KafkaConsumer<byte[], byte[]> consumer;
  private final Map<TopicPartition, String> splits = new HashMap<>();
  private long heardMs;
  /* Between the threads, under the lock of this. */
  private final ArrayDeque<Fetched> fetched = new ArrayDeque<>();
  private long waitingBytes;
  private CompletableFuture<Void> available = new CompletableFuture<>();
  private List<Partition> assigned;
  private final List<Partition> begun = new ArrayList<>();
  private List<Partition> toCommit;
  private Throwable failure;
  private boolean closed;

  KafkaFetcher(KafkaSettings settings) {
    super("sluice-kafka-" + settings.source);
    setDaemon(true);
    this.settings = settings;
    claims = new Claims(settings.stream, ClaimStore.of(settings.claims));
  }

  /** All partitions; those that begin now do so at their offsets. */
  synchronized void assign(List<Partition> all, List<Partition> beginning) {
    assigned = all;
    begun.addAll(beginning);
    notifyAll();
  }

  synchronized void commit(List<Partition> read) {
    toCommit = read;
    notifyAll();
  }

  /** Null where nothing is there. */
  synchronized Fetched take() throws IOException {
    if (failure != null) throw new IOException(failure.getMessage(), failure);
    Fetched next = fetched.poll();
    if (next == null) {
      if (available.isDone()) available = new CompletableFuture<>();
      return null;
    }
    waitingBytes -= next.bytes;
    notifyAll();
    return next;
  }

  synchronized CompletableFuture<Void> available() {
    return available;
  }

  /** The task has something to say. */
  synchronized void wake() {
    available.complete(null);
  }

  private synchronized void hand(Fetched one) {
    fetched.add(one);
    waitingBytes += one.bytes;
    available.complete(null);
  }

  @Override
  public void run() {
    Properties properties = settings.client();
    properties.put(ConsumerConfig.GROUP_ID_CONFIG, settings.group);
    properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "none");
    properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
    properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
    // Clients look for their parts through it.
    setContextClassLoader(KafkaFetcher.class.getClassLoader());
    try (KafkaConsumer<byte[], byte[]> made = new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer = made;
      while (isOpen()) turn();
    } catch (WakeupException ended) {
      // It was closed.
    } catch (Throwable thrown) {
      fail(thrown);
    }
  }

  private synchronized void fail(Throwable thrown) {
    failure = new IOException("settings." + settings.where + ", the topic " + settings.topic + ": " + thrown.getMessage(), thrown);
    available.complete(null);
  }

  /** Waits while there is nothing to read, or too much waits for the task. */
  private synchronized boolean isOpen() throws InterruptedException {
    while (!closed && assigned == null && toCommit == null && (splits.isEmpty() || waitingBytes > WAITING_MAX_BYTES)) wait();
    return !closed;
  }

  private void turn() throws IOException, InterruptedException {
    List<Partition> all;
    List<Partition> beginning;
    List<Partition> read;
    synchronized (this) {
      all = assigned;
      assigned = null;
      beginning = List.copyOf(begun);
      begun.clear();
      read = toCommit;
      toCommit = null;
    }
    if (all != null) reassign(all, beginning);
    if (read != null) commitNow(read);
    if (!splits.isEmpty()) poll();
  }

  private TopicPartition place(Partition partition) {
    return new TopicPartition(settings.topic, partition.number);
  }

  private void reassign(List<Partition> all, List<Partition> beginning) {
    splits.clear();
    for (Partition partition : all) splits.put(place(partition), partition.splitId());
    consumer.assign(splits.keySet());
    for (Partition partition : beginning)
      if (splits.containsValue(partition.splitId())) consumer.seek(place(partition), partition.next);
  }

  private void commitNow(List<Partition> read) {
    Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
    for (Partition partition : read) offsets.put(place(partition), new OffsetAndMetadata(partition.next));
    if (offsets.isEmpty()) return;
    consumer.commitAsync(offsets, (done, thrown) -> {
      if (thrown != null) LOG.warn("offsets of the group {} could not be committed: {}; what is read does not depend on them", settings.group, thrown.getMessage());
    });
  }

  private void poll() throws IOException, InterruptedException {
    ConsumerRecords<byte[], byte[]> some;
    try {
      some = consumer.poll(POLL);
    } catch (OffsetOutOfRangeException thrown) {
      for (Map.Entry<TopicPartition, Long> one : thrown.offsetOutOfRangePartitions().entrySet()) outOfRange(one.getKey(), one.getValue());
      return;
    }
    for (TopicPartition partition : some.partitions()) hand(recordsOf(splits.get(partition), some.records(partition)));
    long now = System.currentTimeMillis();
    if (now - heardMs >= HEAR_MS) hear(now, some.partitions());
  }

  private Fetched recordsOf(String split, List<ConsumerRecord<byte[], byte[]>> some) throws IOException {
    List<RawRecord> records = new ArrayList<>(some.size());
    long bytes = 0;
    for (ConsumerRecord<byte[], byte[]> one : some) {
      byte[] value = one.value() == null ? new byte[0] : one.value();
      RawRecord record = new RawRecord("kafka", split, Long.toString(one.offset()), one.timestamp(), value);
      if (one.key() != null) record.key = text(one.key());
      for (Header header : one.headers()) {
        if (record.headers == null) record.headers = new LinkedHashMap<>();
        record.headers.put(header.key(), header.value() == null ? "" : text(header.value()));
      }
      claims.resolve(record);
      records.add(record);
      bytes += value.length + (record.data == null ? 0 : record.data.length);
    }
    return new Fetched(records, bytes, split, 0);
  }

  private static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** Of partitions that gave nothing: whether their ends were reached. Asked, as no answer is no end. */
  private void hear(long now, Set<TopicPartition> busy) {
    heardMs = now;
    List<TopicPartition> quiet = new ArrayList<>(splits.keySet());
    quiet.removeAll(busy);
    if (quiet.isEmpty()) return;
    try {
      Map<TopicPartition, Long> ends = consumer.endOffsets(quiet, ASK);
      ends.forEach((partition, end) -> {
        if (consumer.position(partition, ASK) >= end) hand(new Fetched(null, 0, splits.get(partition), now));
      });
    } catch (TimeoutException silent) {
      LOG.warn("{}: the brokers do not say where partitions end: {}", settings.topic, silent.getMessage());
    }
  }

  private void outOfRange(TopicPartition partition, long offset) throws IOException, InterruptedException {
    String split = splits.get(partition);
    if (isReplaced(partition.partition(), split)) {
      // The enumerator finds the new one too, and the reader is given its partitions then.
      LOG.warn("{}: {} is of a topic that was deleted and created again, and is read no more", settings.topic, split);
      splits.remove(partition);
      consumer.assign(splits.keySet());
      return;
    }
    long first = consumer.beginningOffsets(List.of(partition), ASK).get(partition);
    long end = consumer.endOffsets(List.of(partition), ASK).get(partition);
    String what =
        offset < first
            ? split + ": the offset " + offset + " is no longer kept; " + (first - offset) + " positions up to " + first + " are gone"
            : split + ": the offset " + offset + " is behind the end of the log, which continues at " + end;
    if (!settings.skipsLost)
      throw new IllegalStateException(what + ". Set \"whenTrimmed\": \"oldest\" there to continue at " + (offset < first ? first : end) + ", and start it again from its last checkpoint");
    LOG.warn("{}: {}; it is read from there on, as the settings say", settings.topic, what);
    consumer.seek(partition, offset < first ? first : end);
  }

  private boolean isReplaced(int number, String split) throws IOException, InterruptedException {
    try (Admin admin = Admin.create(settings.client())) {
      return !Partition.name(number, KnownTopic.now(admin, settings).id).equals(split);
    }
  }

  void close() throws IOException, InterruptedException {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    if (consumer != null) consumer.wakeup();
    join(CLOSE_MS);
    claims.close();
  }
}
