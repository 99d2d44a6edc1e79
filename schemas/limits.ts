/**
 * The limits that several files share, each with its unit in its name, and its source if somebody
 * else sets it, and the relations among them, asserted when this file is loaded. A limit of one
 * file is beside its use.
 */
import { assert } from './kernel/assert.ts';
import { kibi, mebi } from './kernel/bytes.ts';

export const limits = {
  /**
   * Kinesis: Unicode characters of a partition key,
   * https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
   */
  partitionKeyMaxChars: 256,
  /**
   * An attribute's text in UTF-8 (id, source, type, ...). CloudEvents asks that at least 64 KiB of
   * a whole event be forwarded.
   */
  attributeMaxBytes: 2 * kibi,
  /** Extension attributes of one CloudEvent: the UTF-8 of their names and values. */
  extensionsMaxBytes: 12 * kibi,
  /**
   * What addresses are digested with: there are only 2^32 of IPv4, so the secret is all that hides
   * them.
   */
  addressSecretMinChars: 16,
  /**
   * The small route's largest record unless the stream says otherwise: Kinesis' default of 1 MiB.
   */
  kinesisRecordMaxBytes: mebi,
  /** The large route's largest record unless the topic says otherwise: MSK Serverless' 8 MiB. */
  kafkaRecordMaxBytes: 8 * mebi,
  /** What a record's head (attributes, frame) may add to its data. */
  recordHeadMaxBytes: 32 * kibi,
  /** Nesting of a JSON value; deeper is refused with 400. */
  jsonDepthMax: 128,
  /**
   * A value that a topology's function makes of events: nesting, and the parts that are looked at;
   * more is not kept.
   */
  valueDepthMax: 512,
  valueMaxParts: 8 * mebi,
  /**
   * Request line and headers of one request: as much as Node's own server allows. A request line of
   * 8,000 octets must be read (RFC 9112, section 3), and a token of `tokenMaxChars` beside it. The
   * HTTP server's own bound of 4 KiB is raised to it.
   */
  httpHeadMaxBytes: 16 * kibi,
  /** Header lines of a request that Node 20's binary reads. */
  httpHeadMaxLines: 98,
  /** How long the rest of a body is read and dropped whose answer was early. */
  httpLingerMs: 1_000,
  /** A request's body as it arrives. */
  bodyMaxBytes: 16 * mebi,
  /** A request's body after decompression; reading stops there. */
  bodyDecodedMaxBytes: 32 * mebi,
  /**
   * A body, as it arrives and inflated, of which it is not known yet who sends it: a write key is
   * looked for in it. The most that Segment's API takes.
   */
  strangerBodyMaxBytes: 500 * kibi,
  /** How long such a body may take to arrive. */
  strangerBodyMaxMs: 10_000,
  /** How long nothing of a body may arrive, or nothing of a streamed answer be read. */
  bodyIdleMs: 30_000,
  /**
   * The body of a request over its quota that is let pass unread; behind a longer one the
   * connection is closed.
   */
  bodyUnreadMaxBytes: 64 * kibi,
  /** Events of one array or NDJSON request. */
  requestEventsMax: 10_000,
  /** Bytes of all requests that are not answered yet; past it new ones get 503 at once. */
  ingressInFlightMaxBytes: 256 * mebi,
  /** One batch to a writer. Kinesis PutRecords: 500 records; 5 MiB is what every endpoint takes. */
  batchMaxRecords: 500,
  batchMaxBytes: 5 * mebi,
  /** Bytes of one aggregated record. */
  unitMaxBytes: 512 * kibi,
  /** How long one write may take; then what it did is unknown. */
  writeMaxMs: 30_000,
  /** How long after the first of its tries began a batch is written again. */
  writeAgainMaxMs: 2_000,
  /**
   * An NDJSON body up to this size is collected and answered whole; a larger one is read and
   * answered as it comes.
   */
  ndjsonCollectedMaxBytes: mebi,
  /**
   * Events, and bytes, of one long NDJSON body whose outcome is not known yet; past either its
   * reading waits.
   */
  ndjsonOpenMaxEvents: 2_000,
  ndjsonOpenMaxBytes: 8 * mebi,
  /**
   * WebSocket: events of one connection that are not acknowledged, frames it may send beyond that
   * before it is closed, and silence.
   */
  wsCreditEvents: 256,
  wsOverdraftEvents: 256,
  wsIdleSeconds: 60,
  /** Acknowledgements that a client does not read. */
  wsUnreadMaxBytes: mebi,
  wsConnectionsMax: 20_000,
  /**
   * One message. uWebSockets.js puts it together unseen, up to twice as much, so that what is
   * somewhat too big can be told so.
   */
  wsMessageMaxBytes: mebi,
  /**
   * Messages in a row beyond the quota, each of which is answered 429, and pings and pongs in a
   * minute; then the connection is closed.
   */
  wsOverQuotaMax: 256,
  wsControlsPerMinute: 600,
  /** Batches in flight per stream and path. */
  batchesInFlightMax: 8,
  /** What one compressed batch of records may become. */
  kafkaBatchInflatedMaxBytes: 256 * mebi,
  /**
   * Of the five reads a second that all readers of a shard share, a topology takes four while there
   * is more, and one once it found the end.
   */
  kinesisReadEveryMs: 250,
  kinesisIdleReadEveryMs: 1_000,
  /**
   * Enhanced fan-out: how long a read waits for what Kinesis pushes, which says every five seconds
   * that there is nothing.
   */
  kinesisFanOutWaitMs: 10_000,
  /**
   * Kinesis keeps records for 24 hours at the least,
   * https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
   */
  kinesisRetentionLeastMs: 24 * 3_600_000,
  /** Ingestion warnings: kinds of one key on one stream, and of all of them. */
  warningsPerSenderMax: 64,
  warningsMax: 8_192,
  /** The control socket: how long an answer may take. */
  controlAnswerMaxMs: 60_000,
  /** SIGTERM: how long pending requests may take before they get 503. */
  shutdownMaxMs: 10_000,
  /**
   * Embedded log: bytes that wait for the group commit; past it writes are refused as retryable.
   */
  logPendingMaxBytes: 64 * mebi,
  /** An empty source is asked again after this time. */
  sourcePollMs: 20,
  /**
   * Whatever a stream is asked is given up after this time, and asked again: longer than each
   * reader's own bounds.
   */
  readMaxMs: 90_000,
  /** A split that was not answered for this long is called slow. */
  readSlowMs: 2_000,
  /** How often a source asks for splits that are new. */
  splitDiscoveryMs: 30_000,
  /**
   * How long a topology's modules may take to be evaluated, and whether it could take over to be
   * found out beside that.
   */
  topologyLoadMaxMs: 10_000,
  topologyTrialMaxMs: 60_000,
  /** Elements set aside that `sluice status` shows. */
  setAsideShown: 5,
  /** How long one try to store a checkpoint may take. */
  checkpointTryMaxMs: 60_000,
  /**
   * What sinks may take to stage and to commit one: as long as a whole checkpoint of Flink may
   * (`execution.checkpointing.timeout`).
   */
  checkpointSinksMaxMs: 600_000,
  /**
   * How long a checkpoint waits for one sink's commit where that sink may commit late (graphs):
   * then the tables of the others continue without it.
   */
  sinkCommitWaitMs: 5_000,
  /**
   * `sluice status`: characters of one text of a topology, and splits of it that are told one by
   * one.
   */
  statusTextMaxChars: 2_000,
  statusSplitsMax: 1_000,
  /** Lag: how long one split may take to answer, and how long a status waits for all of them. */
  lagAnswerMaxMs: 5_000,
  lagWaitMs: 1_000,
  /** Splits that one line of a log or status names. */
  splitsNamedMax: 10,
  /**
   * A split that begins with what comes next: what arrived so long before may be read as well, as
   * clocks differ.
   */
  latestMarginMs: 60_000,
  /** A table's name, with its slashes. */
  tableNameMaxChars: 63,
  /** Writes of a graph sink in memory; past it they are staged between two checkpoints. */
  graphStagedMaxWrites: 50_000,
  /** Text of a node's or edge's key in UTF-8: half of what an index entry of Neo4j holds. */
  graphKeyMaxBytes: 4 * kibi,
  /** One write of a node or an edge. */
  graphWriteMaxBytes: mebi,
  /**
   * Answers of `sluice query`: rows unless it is told otherwise, the most it can be told, and their
   * bytes as JSON.
   */
  queryDefaultRows: 1_000,
  queryMaxRows: 100_000,
  queryMaxBytes: 32 * mebi,
  /**
   * A question in Cypher or SQL: its text, the memory of the process that it runs in, and the heap
   * of its JavaScript.
   */
  questionTextMaxBytes: 64 * kibi,
  questionMemoryMaxBytes: 1_024 * mebi,
  questionHeapMaxBytes: 512 * mebi,
  /** What a question's process may answer, as JSON with all its quoting. */
  questionOutputMaxBytes: 128 * mebi,
  /** S3: tries of one operation. */
  s3AttemptsMax: 10,
  /**
   * S3: how long a sink tries at least, before its topology begins again at the last checkpoint.
   */
  s3PatienceMs: 300_000,
  /** A lake in S3: calls of one table that are in flight beside each other. */
  lakeCallsMax: 8,
} as const;

assert(
  4 * limits.jsonDepthMax <= limits.valueDepthMax,
  'what the ingress takes can be nested in results',
);
assert(
  limits.kinesisRecordMaxBytes <= limits.batchMaxBytes,
  'a batch holds at least one record of the small route',
);
assert(limits.kafkaRecordMaxBytes <= limits.bodyMaxBytes, 'a body can carry the largest event');
assert(
  limits.unitMaxBytes + limits.recordHeadMaxBytes <= limits.kinesisRecordMaxBytes,
  'an aggregated record fits the small route',
);
assert(
  limits.bodyMaxBytes <= limits.bodyDecodedMaxBytes,
  'decompression never shrinks what is allowed',
);
assert(
  limits.bodyDecodedMaxBytes <= limits.ingressInFlightMaxBytes,
  'one request alone is always admitted',
);
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.logPendingMaxBytes,
  'the largest record alone can be committed',
);
assert(
  limits.queryMaxBytes < limits.questionOutputMaxBytes,
  'an answer about tables is told whole',
);
assert(limits.graphKeyMaxBytes <= limits.graphWriteMaxBytes, 'a write can have the largest key');
