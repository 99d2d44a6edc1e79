/**
 * Every bound of Sluice with its unit in its name, its source where the world sets it, and the
 * relations that must hold among them (asserted when this file is loaded). It has over 400 lines
 * because all bounds are in one place.
 */
import { assert } from './kernel/assert.ts';

const kibi = 1_024;
const mebi = 1_024 * kibi;

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
  /**
   * Extension attributes of one CloudEvent: the UTF-8 of their names and values, and for each of
   * them what it takes beside those in any record.
   */
  extensionsMaxBytes: 12 * kibi,
  extensionOverheadBytes: 16,
  /** User-Agent and Referer, each, where a stream keeps them; longer ones are cut. */
  contextTextMaxBytes: kibi,
  /**
   * What addresses are digested with: there are only 2^32 of IPv4, so the secret is all that hides
   * them.
   */
  addressSecretMinChars: 16,
  /**
   * Data up to this size takes the small path; `routing.large_message_threshold_kb` overrides it.
   */
  largeMessageThresholdBytes: 100 * kibi,
  /**
   * The small path's largest record unless the stream says otherwise: Kinesis' default of 1 MiB.
   */
  kinesisRecordMaxBytes: mebi,
  /** The large path's largest record unless the topic says otherwise: MSK Serverless' 8 MiB. */
  kafkaRecordMaxBytes: 8 * mebi,
  /** What a record's head (attributes, frame) may add to its data. */
  recordHeadMaxBytes: 32 * kibi,
  /**
   * What records of one stream begin with, parsed once and remembered: starts, and characters of
   * one.
   */
  sharedMembersMaxEntries: 256,
  sharedMembersMaxChars: kibi,
  /** Data that is parsed to be checked against a schema. */
  checkedDataMaxBytes: 8 * mebi,
  /** Nesting of a JSON value; deeper is refused with 400. */
  jsonDepthMax: 128,
  /**
   * A pattern of a schema that could backtrack: its places once counted repetitions are written
   * out, and what is remembered of them (places times states).
   */
  patternMaxPlaces: 10_000,
  patternKnownMax: mebi,
  /** Characters beyond ASCII whose class is remembered. */
  patternCharactersMax: 4 * kibi,
  /**
   * A value that a topology's function makes of events: nesting, and the parts that are looked at;
   * more is not kept.
   */
  valueDepthMax: 512,
  valueMaxParts: 8 * mebi,
  /** Parts of an accumulator that are looked at after each element; a result is looked at whole. */
  accumulatorCheckedParts: kibi,
  /**
   * Request line and headers of one request: as much as Node's own server allows. A request line of
   * 8,000 octets must be read (RFC 9112, section 3), and a token of `tokenMaxChars` beside it. The
   * HTTP server's own bound of 4 KiB is raised to it.
   */
  httpHeadMaxBytes: 16 * kibi,
  /** Header lines of a request that Node 20's binary reads. */
  httpHeadMaxLines: 98,
  /** How long a head may take to arrive. */
  httpHeadMaxMs: 10_000,
  /** How long the rest of a body is read and dropped whose answer was early. */
  httpLingerMs: 1_000,
  /**
   * Requests that wait on one connection of the strict front behind the one that is being answered.
   */
  httpPipelinedMax: 1_000,
  /** A request's body as it arrives. */
  bodyMaxBytes: 16 * mebi,
  /** A request's body after decompression; reading stops there. */
  bodyDecodedMaxBytes: 32 * mebi,
  /**
   * Members of an object in which the ingress looks for attributes: an envelope, a CloudEvent, a
   * Segment message.
   */
  attributeMembersMax: kibi,
  /**
   * A body, as it arrives and inflated, of which it is not known yet who sends it: a write key is
   * looked for in it. The most that Segment's API takes.
   */
  strangerBodyMaxBytes: 500 * kibi,
  /**
   * Of the bytes in flight: what all senders together may hold that are not identified yet, and
   * what one network of them; one part of so many.
   */
  strangersPart: 8,
  strangerNetworkPart: 64,
  /** How long such a body may take to arrive. */
  strangerBodyMaxMs: 10_000,
  /**
   * How long nothing of a body may arrive, or nothing of a streamed answer be read, and how often
   * that is looked at: uWebSockets.js would close without a word.
   */
  bodyIdleMs: 30_000,
  bodyWatchMs: 2_500,
  /**
   * The body of a request over its quota that is let pass unread; behind a longer one the
   * connection is closed.
   */
  bodyUnreadMaxBytes: 64 * kibi,
  /** Shares of the bytes in flight that are kept while nobody is in them. */
  idleSharesKept: 256,
  /**
   * A compressed NDJSON body may inflate to `bodyDecodedMaxBytes`, or to so many times what arrived
   * of it. JSON of like events packs 10 to 30 times.
   */
  inflationMax: 50,
  /** Whole bodies that are inflated at once. */
  inflatersMax: 8,
  /** Events of one array or NDJSON request. */
  requestEventsMax: 10_000,
  /** Bytes of all requests that are not answered yet; past it new ones get 503 at once. */
  ingressInFlightMaxBytes: 256 * mebi,
  /** One batch to a writer. Kinesis PutRecords: 500 records; 5 MiB is what every endpoint takes. */
  batchMaxRecords: 500,
  batchMaxBytes: 5 * mebi,
  /**
   * Events of one key that leave together while an earlier one is under way: one aggregated record.
   */
  unitMaxEvents: 100,
  unitMaxBytes: 512 * kibi,
  /**
   * Events of one aggregated record where the stream wants small ones to share it, without order,
   * and their bytes: about two PUT payload units of Kinesis, or what makes a few of them once it is
   * compressed.
   */
  aggregateMaxEvents: 500,
  aggregateMaxBytes: 49 * kibi,
  aggregateGzipMaxBytes: 256 * kibi,
  /** What a compressed record may be when it is taken apart. */
  aggregateInflatedMaxBytes: 2 * mebi,
  /**
   * How long an event may wait to be written; then it is refused, as its client has long given up.
   */
  queueMaxMs: 10_000,
  /** How long one write may take; then what it did is unknown. */
  writeMaxMs: 30_000,
  /** How long after the first of its tries began a batch is written again. */
  writeAgainMaxMs: 2_000,
  /**
   * A stream's path is left alone after so many failed writes in a row, for a pause that grows
   * between these.
   */
  breakerFailures: 5,
  breakerPauseBaseMs: 500,
  breakerPauseMaxMs: 15_000,
  /** A spool: one stream, one path. */
  spoolMaxBytes: 1_024 * mebi,
  spoolSegmentMaxBytes: 16 * mebi,
  /**
   * Spools of a process, all streams together: records on their way to the disk, records read to be
   * drained, and one read of one spool.
   */
  spoolsPendingMaxBytes: 64 * mebi,
  spoolsReadMaxBytes: 96 * mebi,
  spoolReadMaxBytes: 32 * mebi,
  /**
   * Refused events: how long their file stays open after one was added, how long a command waits
   * for it and for an ingress, characters of data shown.
   */
  refusedIdleMs: 500,
  refusedLockMaxMs: 5_000,
  refusedSendMaxMs: 60_000,
  refusedShownMaxChars: 2_000,
  /** Events of one stream that were answered from memory and are on their way. */
  bufferMaxBytes: 64 * mebi,
  /** How far X-Client-Timestamp may be from this clock and still be a time of sending. */
  clientClockOffMaxMs: 24 * 3_600_000,
  /**
   * Identities that are remembered for their repeats, of all streams: how long, and what they may
   * take. A chunk is what they are written into and let go by; what it and the share of a sender
   * cost beside its bytes is as `test/bench/repeats.ts` measures it.
   */
  repeatWindowMs: 120_000,
  repeatWindowMaxBytes: 64 * mebi,
  repeatChunkMinBytes: 512,
  repeatChunkMaxBytes: 64 * kibi,
  repeatChunkOverheadBytes: 640,
  repeatShareOverheadBytes: 256,
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
  /** Names that a preflight asks for and is allowed, and their characters. */
  preflightHeadersMax: 64,
  preflightHeadersMaxChars: 2_000,
  /** How long a browser may remember a preflight: the most that Chromium does (2 h). */
  preflightSeconds: 7_200,
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
  /** WebSockets of one client's network; `ingress.address_websockets_max` overrides it. */
  wsNetworkConnectionsMax: 100,
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
  /**
   * Batches under way per stream and path, and how far apart at most they start unless they are
   * full.
   */
  batchesInFlightMax: 8,
  batchPaceMaxMs: 10,
  /**
   * Kafka: making a connection, one request, tries of what asks and does not write; how long before
   * its end a session is renewed.
   */
  kafkaConnectMs: 3_000,
  kafkaRequestMaxMs: 15_000,
  kafkaRetriesMax: 2,
  kafkaReauthenticateBeforeMs: 2_000,
  /**
   * A write to Kafka with all its tries: longer than the brokers take to see that one of them is
   * gone (`broker.session.timeout.ms`, 9 s) and the new leader to be found. One of which nothing is
   * in the topic for sure is answered sooner. How long a leader waits for its replicas in one try.
   */
  kafkaWriteMaxMs: 12_000,
  kafkaUntakenMaxMs: 3_000,
  kafkaAcksMaxMs: 4_000,
  /** Pauses between its tries, with full jitter. */
  kafkaRetryBaseMs: 100,
  kafkaRetryMaxMs: 1_000,
  /**
   * Until a broker that did not answer, or a cluster that refused, is tried again: after the first
   * time, and at most.
   */
  kafkaReconnectBaseMs: 250,
  kafkaReconnectMaxMs: 6_000,
  /**
   * How old what is known of a topic may get: its partitions and their leaders, and its own limits.
   * Errors that say so are asked about at once.
   */
  kafkaMetadataMaxAgeMs: 30_000,
  kafkaDescriptionMaxAgeMs: 300_000,
  /**
   * `max.message.bytes` where a topic does not say:
   * https://kafka.apache.org/documentation/#topicconfigs_max.message.bytes
   */
  kafkaBatchDefaultBytes: 1_048_588,
  /**
   * What a batch and a record take beside key, value and headers, and a header beside its name and
   * value (record format v2, varints at their longest).
   */
  kafkaRecordOverheadBytes: 61 + 38,
  kafkaHeaderOverheadBytes: 10,
  /** One answer of a broker, all its partitions. */
  kafkaFetchMaxBytes: 32 * mebi,
  /** What one compressed batch of records may become. */
  kafkaBatchInflatedMaxBytes: 256 * mebi,
  /** A token is signed anew when that much of its life is left. */
  kafkaTokenRefreshBeforeMs: 180_000,
  /**
   * Kinesis: connections to one endpoint, how long an idle one is kept, and how long a new one may
   * take.
   */
  kinesisSocketsMax: 64,
  kinesisIdleMs: 4_000,
  kinesisConnectMs: 3_000,
  /**
   * Kinesis: buffers that are kept for the next request bodies, the answer to a PutRecords of 500,
   * and pages of a list of shards.
   */
  kinesisBodiesKept: 8,
  kinesisReplyMaxBytes: mebi,
  kinesisShardPagesMax: 100,
  /**
   * GetRecords of a shard: five a second, 10,000 records and 10 MiB each, 2 MB/s (Kinesis' quotas);
   * how long one may take.
   */
  kinesisReadIntervalMs: 200,
  /**
   * Of those five, which all readers of a shard share, a topology takes four while there is more,
   * and one once it found the end; how far apart its reads may be set.
   */
  kinesisReadEveryMs: 250,
  kinesisIdleReadEveryMs: 1_000,
  kinesisReadEveryMaxMs: 10_000,
  /**
   * Enhanced fan-out: how long a read waits for what Kinesis pushes, which says every five seconds
   * that there is nothing; how long before an event counts as sent after it was waited for; without
   * a sign of life a subscription is over; how often, and how long apart, a new consumer is looked
   * at until it is active.
   */
  kinesisFanOutWaitMs: 10_000,
  kinesisFanOutFreshMs: 50,
  kinesisFanOutSilentMs: 35_000,
  kinesisConsumerLooksMax: 60,
  kinesisConsumerLookMs: 1_000,
  /** Kinesis: tries of a list of shards that is throttled. */
  kinesisListTriesMax: 8,
  kinesisReadMaxRecords: 10_000,
  kinesisShardReadBytesPerSecond: 2_000_000,
  kinesisReadMaxMs: 30_000,
  /**
   * Kinesis keeps records for 24 hours at the least
   * (https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html); how long
   * before its time one may be gone, as clocks differ; for how long a stream's own retention counts
   * as known.
   */
  kinesisRetentionLeastMs: 24 * 3_600_000,
  kinesisTrimMarginMs: 300_000,
  kinesisRetentionKnownMs: 300_000,
  /**
   * Ingestion warnings: kinds of one key on one stream, of all of them, how long each is kept, and
   * its sample.
   */
  warningsPerSenderMax: 64,
  warningsMax: 8_192,
  warningsKeptMs: 24 * 3_600_000,
  warningSampleMaxBytes: kibi,
  warningSampleMs: 60_000,
  /**
   * Networks of clients whose requests are counted, and identities whose events are, as long as
   * their buckets are not full again.
   */
  addressBucketsMax: 65_536,
  keyBucketsMax: 65_536,
  /**
   * Old buckets that are looked at for each new one: those that are full go, and past the bound the
   * one that would be full soonest.
   */
  bucketsLookedAt: 8,
  /**
   * Tokens whose verification is remembered, a token's length, and how far its issuer's clock may
   * be from this one.
   */
  tokensRememberedMax: 10_000,
  tokenMaxChars: 8_192,
  tokenSkewSeconds: 30,
  /**
   * Characters of a token's issuer and subject that a log shows; a digest of all of them stands
   * beside.
   */
  identityShownMaxChars: 40,
  /**
   * How often an open WebSocket or upload is asked whether its sender is still let in; a message or
   * line is asked at once.
   */
  accessRecheckMs: 1_000,
  /**
   * An issuer's key set: its size, how long fetching it may take, and how long it is left alone
   * after a key was not found in it.
   */
  jwksMaxBytes: 256 * kibi,
  jwksTimeoutMs: 5_000,
  jwksCooldownMs: 30_000,
  /**
   * An issuer's key set is fetched again when it is this old, and used while that fails until it is
   * that old.
   */
  jwksFreshMs: 600_000,
  jwksMaxAgeMs: 6 * 3_600_000,
  /** Pause before a failed fetch is tried again: the shortest, and the longest. */
  jwksRetryBaseMs: 1_000,
  jwksRetryMaxMs: 60_000,
  /**
   * `sluice send`: an event that is read, which is more than an ingress accepts; a request's
   * events; an answer; silence of a connection.
   */
  sendEventMaxBytes: 64 * mebi,
  sendBodyMaxBytes: 4 * mebi,
  sendAnswerMaxBytes: 32 * mebi,
  sendSilenceMaxMs: 60_000,
  /** A load's requests that are due and wait for a connection. */
  loadBacklogMax: 200_000,
  /**
   * The control socket: what a command sends, what it is answered, how long an answer may take,
   * connections at once.
   */
  controlRequestMaxBytes: mebi,
  controlAnswerMaxBytes: 64 * mebi,
  controlAnswerMaxMs: 60_000,
  controlConnectionsMax: 64,
  /** How long a command may take to arrive. */
  controlRequestMaxMs: 5_000,
  /**
   * The address of a Unix socket: `sun_path` without its final zero byte, of Linux and of macOS.
   */
  socketPathMaxBytes: 107,
  socketPathMaxBytesDarwin: 103,
  /**
   * A listener for metrics or health: connections at once, and how long a request may take to
   * arrive.
   */
  plainConnectionsMax: 64,
  plainRequestMaxMs: 5_000,
  /** SIGTERM: how long pending requests may take before they get 503. */
  drainMs: 10_000,
  /** Embedded log: a segment is closed at this size. */
  segmentMaxBytes: 64 * mebi,
  /** Embedded log: what a split keeps. */
  retentionMaxBytes: 4 * 1_024 * mebi,
  retentionMaxMs: 7 * 24 * 3_600_000,
  /**
   * Embedded log: bytes that wait for the group commit; past it writes are refused as retryable.
   */
  logPendingMaxBytes: 64 * mebi,
  /** Elements of one turn. */
  turnMaxRows: 1_024,
  turnMaxBytes: 8 * mebi,
  /**
   * Events of one aggregated record, which are in one turn whatever its bound: more than events of
   * 66 bytes in a record of 1 MiB.
   */
  aggregateMaxRecords: 16_384,
  /** An empty source is asked again after this time. */
  sourcePollMs: 20,
  /**
   * How long after an event was read a silent split has to be asked again and found empty before
   * time goes on without it: what was sent together is stored in several splits, one after the
   * other.
   */
  silenceSettleMs: 1_000,
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
   * A duration in a topology: 10,000 years, as long as all event times that are read. What is added
   * to an event time, several of them too, is still a time that a Date holds (8.64e15 ms,
   * https://262.ecma-international.org/#sec-time-values-and-time-range).
   */
  durationMaxMs: 3_652_500 * 86_400_000,
  /** Sliding windows: how many one element may be in. */
  windowsPerElementMax: 10_000,
  /**
   * Timers that the timers of one key, and of all keys of an operator, register at the end of
   * input, where a chain of them need not have an end.
   */
  timerChainMaxSteps: 100_000,
  timerChainsMaxSteps: 1_000_000,
  /**
   * Look-ups in flight of one operator, tries of one look-up, answers one cache keeps, rows of one
   * table.
   */
  lookupCapacityMax: 1_000,
  lookupAttemptsMax: 100,
  lookupCacheMaxEntries: 1_000_000,
  lookupTableMaxRows: 1_000_000,
  lookupTableMaxBytes: 256 * mebi,
  /** The body of one answer to a look-up over HTTP, decoded. */
  lookupAnswerMaxBytes: mebi,
  /** Pause before a failed look-up is tried again: the first, and the longest. */
  lookupRetryBaseMs: 100,
  lookupRetryMaxMs: 10_000,
  /**
   * Retries of all look-ups of one target: so many at once, then one in so long beside what answers
   * give back.
   */
  lookupRetryBurst: 100,
  lookupRetryTokenMs: 1_000,
  /**
   * How long a target that says how long it wants to be left alone is obeyed; then it is asked
   * again, whatever it said.
   */
  lookupPauseMaxMs: 3_600_000,
  /** Calls of which it is known how long they took. */
  lookupTimesKept: 512,
  /**
   * How long a topology's modules may take to be evaluated, and whether it could take over to be
   * found out beside that.
   */
  topologyLoadMaxMs: 10_000,
  topologyTrialMaxMs: 60_000,
  /** The type check of a topology: its time, and what is kept of what it says. */
  topologyTypesMaxMs: 30_000,
  topologyTypesMaxBytes: mebi,
  /**
   * How long a topology that is told to stop may take for its last checkpoint; then it is ended,
   * and goes on from the one before.
   */
  topologyStopMaxMs: 60_000,
  /**
   * How long one call of an author's function may take, unless the instance says otherwise; the
   * thread of one that takes longer is ended.
   */
  functionMaxMs: 10_000,
  functionMinMs: 100,
  /**
   * Runs that fail in a row while elements are suspected; past it nothing more is set aside, as it
   * is not the elements that fail. Checkpoints of a run after which a function is suspected no
   * more.
   */
  isolationTriesMax: 100,
  isolationCheckpoints: 16,
  /** Elements set aside that `sluice status` shows. */
  setAsideShown: 5,
  /** Checkpoint interval of the service. */
  checkpointIntervalMs: 10_000,
  /** Checkpoint interval under `sluice start`. */
  startCheckpointIntervalMs: 1_000,
  /** Completed checkpoints that are kept. */
  checkpointsKept: 3,
  /** Old ones that are deleted beside each other. */
  checkpointDeletesMax: 8,
  /**
   * A checkpoint that fails: pause before it is tried again, the first and the longest; how long
   * one try to store it may take, and how many may be under way where none of them is answered; how
   * long all tries of the last one may take once a run is told to stop; failures in a row that are
   * an alarm.
   */
  checkpointRetryBaseMs: 250,
  checkpointRetryMaxMs: 10_000,
  checkpointTryMaxMs: 60_000,
  checkpointTriesInFlightMax: 2,
  checkpointLastMaxMs: 10_000,
  checkpointAlarmFailures: 3,
  /**
   * What sinks may take to stage and to commit one: as long as a whole checkpoint of Flink may
   * (`execution.checkpointing.timeout`).
   */
  checkpointSinksMaxMs: 600_000,
  /**
   * How long a checkpoint waits for one sink's commit where that sink may commit late (graphs):
   * then the tables of the others go on without it. And the pause before a commit that failed is
   * tried again where nothing else is to come (a drain).
   */
  sinkCommitWaitMs: 5_000,
  sinkCommitPauseMs: 1_000,
  /**
   * How often a run that has nothing to store looks whether another one has taken over, and how
   * long it may take to find out why it failed.
   */
  fenceCheckMs: 10_000,
  fenceAnswerMaxMs: 5_000,
  /**
   * `sluice status`: how long a topology's thread is waited for, how long its answer serves others,
   * characters of one text of it, splits of one topology that are told one by one.
   */
  statusAnswerMaxMs: 2_000,
  statusFreshMs: 50,
  statusTextMaxChars: 2_000,
  statusSplitsMax: 1_000,
  /**
   * Lag: splits that are asked at once, how long one may take, and how long a status waits for all
   * of them.
   */
  lagCallsMax: 16,
  lagAnswerMaxMs: 5_000,
  lagWaitMs: 1_000,
  /**
   * How often splits are looked at, how long one may be unreadable or unanswered before somebody is
   * told, and how many one line names.
   */
  splitWatchMs: 1_000,
  splitAlarmMs: 5_000,
  splitsNamedMax: 10,
  /** Skipped ranges that checkpoints keep; whole splits are all kept. */
  skipsKept: 1_000,
  /** Losses that checkpoints keep one by one; all are counted. */
  lossesKept: 1_000,
  /**
   * How old what checkpoints say of how far splits were read may be, while there is nothing else to
   * keep.
   */
  marksMaxAgeMs: 3_600_000,
  /**
   * A split that begins with what comes next: what arrived so long before may be read as well, as
   * clocks differ.
   */
  latestMarginMs: 60_000,
  /**
   * How long a command waits for a topology to skip what it was told to: for the turn that is under
   * way.
   */
  skipAnswerMaxMs: 20_000,
  /** An element that a checkpoint keeps as an example of what a key function gave, as JSON. */
  keyExampleMaxChars: 16 * kibi,
  /**
   * Rows on their way to a table's writer thread, and their bytes; past either the engine waits.
   */
  sinkPendingMaxRows: 65_536,
  sinkPendingMaxBytes: 64 * mebi,
  /** A folder of a partition: NAME_MAX of the usual file systems. */
  folderNameMaxBytes: 255,
  /**
   * What a table's name and a file's name may have, with the slashes: together with the folders of
   * a partition that is a key.
   */
  tableNameMaxChars: 63,
  tableFileNameMaxBytes: 160,
  /**
   * A column's name: as long as AWS Glue takes,
   * https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
   */
  columnNameMaxBytes: 255,
  /**
   * A Parquet file is published when it has this many bytes (before compression) or is this old.
   */
  parquetFileMaxBytes: 64 * mebi,
  parquetFileMaxAgeMs: 300_000,
  /**
   * Partitions (folders) of one table that have open rows; past it the oldest become files with the
   * next checkpoint.
   */
  openPartitionsMax: 1_024,
  startParquetFileMaxAgeMs: 2_000,
  /**
   * A published file of at most so many bytes, and so old, grows by what comes later for its
   * partition; files of one table that a checkpoint keeps as such.
   */
  parquetGrowMaxBytes: mebi,
  /**
   * Rows that make a file of about so many bytes by themselves do not grow another one: it would be
   * read and written again for nothing.
   */
  parquetGrowByMaxBytes: mebi / 4,
  parquetGrowMaxMs: 3_600_000,
  parquetGrowingMaxFiles: 256,
  parquetRowGroupRows: 50_000,
  /**
   * Files of a table, the latest, whose columns are read where its description does not say which
   * there were.
   */
  tableFootersMax: 1_000,
  /** Rejections whose `seen` is kept up to date; the oldest are let go first. */
  rejectedIndexMax: 1_000_000,
  /** Entries of one file of the index; larger ones are not merged. */
  rejectedIndexSegmentMax: 65_536,
  rejectedRetentionMs: 7 * 24 * 3_600_000,
  /**
   * A file of the rejected table grows by rewriting until it has this many bytes (before
   * compression); then a next one begins.
   */
  rejectedFileMaxBytes: 2 * mebi,
  /** Partitions of it whose last file is remembered. */
  rejectedPartitionsMax: 4_096,
  /** Rejections in memory; past it they are staged between two checkpoints. */
  rejectedPendingMaxBytes: 4 * mebi,
  /** Characters of a rejection's message. */
  rejectionMessageMaxChars: 500,
  /** Graph: writes of one transaction, and their bytes as JSON. */
  graphChunkMaxWrites: 2_000,
  graphChunkMaxBytes: 4 * mebi,
  /** Writes of a graph sink in memory; past either they are staged between two checkpoints. */
  graphStagedMaxWrites: 50_000,
  graphStagedMaxBytes: 32 * mebi,
  /**
   * Staged writes of a graph sink that wait for a database which is locked, slow or away: files,
   * and their bytes; past either nothing is read.
   */
  graphStagedMaxFiles: 5_000,
  graphStagedBehindMaxBytes: 2_048 * mebi,
  /** Text of a node's or edge's key in UTF-8: half of what an index entry of Neo4j holds. */
  graphKeyMaxBytes: 4 * kibi,
  /** One write of a node or an edge. */
  graphWriteMaxBytes: mebi,
  /**
   * Ready graph mappings: elements of one path, which gives up to five writes for each of a
   * journey.
   */
  pathMaxElements: 10_000,
  /**
   * The embedded graph: its page cache, and the address space it reserves, of which each of its
   * checkpoints takes some MiB until it is closed.
   */
  graphBufferBytes: 256 * mebi,
  graphAddressMaxBytes: 1_024 * 1_024 * mebi,
  /**
   * Transactions between two checkpoints of the embedded graph: until then each one leaves some 8
   * KiB in memory for a column it updates.
   */
  graphCheckpointTransactions: 256,
  /**
   * Neo4j: connections of one graph sink, making one, how long what may pass is tried again, and
   * one transaction.
   */
  neo4jConnectionsMax: 4,
  neo4jConnectMs: 5_000,
  neo4jRetryMaxMs: 30_000,
  neo4jTransactionMaxMs: 60_000,
  /** Answers of `sluice graph`: rows, and their bytes as JSON. */
  graphQueryMaxRows: 1_000,
  graphQueryMaxBytes: 8 * mebi,
  /**
   * Answers of `sluice query`: rows unless it is told otherwise, the most it can be told, and their
   * bytes as JSON.
   */
  queryDefaultRows: 1_000,
  queryMaxRows: 100_000,
  queryMaxBytes: 32 * mebi,
  /** DuckDB's own bound: most statements that need more end with its words. */
  queryMemoryBytes: 768 * mebi,
  /**
   * A question in Cypher or SQL: its text, the time and the memory of the process that it runs in,
   * how often that memory is looked at, and the heap of its JavaScript. What the kernel is told as
   * address space has what a process reserves without using it on top.
   */
  questionTextMaxBytes: 64 * kibi,
  questionMaxMs: 10_000,
  questionMemoryMaxBytes: 1_024 * mebi,
  questionWatchMs: 10,
  questionHeapMaxBytes: 512 * mebi,
  questionReservedBytes: 2_048 * mebi,
  /** What a question's process may answer, as JSON with all its quoting. */
  questionOutputMaxBytes: 128 * mebi,
  /** Questions to one instance that run, and that wait for their turn; past it they are refused. */
  questionsRunningMax: 2,
  questionsWaitingMax: 8,
  /**
   * A copy of the graph that questions read: the least pause before the next is made, how long a
   * question waits for one that has newer commits, the largest, and what the disk keeps free.
   */
  graphCopyPauseMs: 100,
  graphCopyWaitMaxMs: 1_000,
  graphCopyMaxBytes: 16 * 1_024 * mebi,
  graphCopyFreeMinBytes: 1_024 * mebi,
  /** S3: connections of one client, connecting, silence of one request, an idle connection. */
  s3SocketsMax: 32,
  s3ConnectMs: 5_000,
  s3RequestMaxMs: 30_000,
  s3IdleMs: 15_000,
  /**
   * S3: all of one call, to the last byte of its answer, and the slowest rate that is waited for
   * beside.
   */
  s3CallMaxMs: 60_000,
  s3BytesPerSecondMin: 256 * kibi,
  /**
   * S3: tries of one operation, the time after which none begins, and the pause before the next:
   * the first, and the longest.
   */
  s3AttemptsMax: 10,
  s3OperationMaxMs: 120_000,
  s3RetryBaseMs: 100,
  s3RetryMaxMs: 5_000,
  /**
   * S3: a key, https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html, and the
   * prefix of all of ours.
   */
  s3KeyMaxBytes: 1_024,
  s3PrefixMaxBytes: 200,
  /**
   * S3: the pause between any two calls of one client while it is asked too often: the first, and
   * the longest.
   */
  s3PaceBaseMs: 20,
  s3PaceMaxMs: 2_000,
  /**
   * S3: how long a sink tries at least, before its topology begins again at the last checkpoint.
   */
  s3PatienceMs: 300_000,
  /**
   * S3: an object beyond this is written in parts of that size; a part but the last has at least 5
   * MiB, https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
   */
  s3SinglePutMaxBytes: 16 * mebi,
  s3PartBytes: 8 * mebi,
  /** S3: parts of one object under way. */
  s3PartsMax: 4,
  /** S3: an object that is read into memory, and pages of one listing (1,000 keys each). */
  s3ObjectMaxBytes: 512 * mebi,
  s3ListPagesMax: 1_000,
  /** A lake in S3: calls of one table that are under way beside each other. */
  lakeCallsMax: 8,
  /**
   * A table: how long its end waits for what is still to be removed; the next run removes what is
   * left.
   */
  lakeCloseMaxMs: 10_000,
  /**
   * Firehose: a record before base64, records and bytes of one call (counted as base64, so that
   * every reading of the limit holds),
   * https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
   */
  firehoseRecordMaxBytes: 1_000 * kibi,
  firehoseCallMaxRecords: 500,
  firehoseCallMaxBytes: 4 * mebi,
  /**
   * Firehose: rows of one record; what takes records apart again for partitioning takes 500,
   * https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-multirecord-deaggergation.html
   */
  firehoseRecordMaxRows: 500,
  /**
   * Firehose: calls under way of one sink; past it `write` waits. Silence of one call, all of it,
   * tries of one call's records that fail in a row, pauses between them.
   */
  firehoseCallsMax: 4,
  firehoseRequestMaxMs: 30_000,
  firehoseCallMaxMs: 60_000,
  firehoseConnectMs: 5_000,
  firehoseIdleMs: 15_000,
  firehoseAttemptsMax: 10,
  firehoseRetryBaseMs: 100,
  firehoseRetryMaxMs: 5_000,
  /**
   * Firehose: the pause between two calls of one sink while the stream throttles, the first and the
   * longest; how long a look at the stream waits for that.
   */
  firehosePaceBaseMs: 50,
  firehosePaceMaxMs: 5_000,
  firehoseDescribeMaxMs: 30_000,
} as const;

assert(
  limits.largeMessageThresholdBytes + limits.recordHeadMaxBytes <= limits.kinesisRecordMaxBytes,
  'an event at the threshold fits a Kinesis record',
);
assert(
  7 * limits.attributeMaxBytes +
    4 * limits.partitionKeyMaxChars +
    limits.extensionsMaxBytes +
    2 * limits.contextTextMaxBytes +
    2 * kibi <=
    limits.recordHeadMaxBytes,
  'the largest attributes, and what the ingress adds, fit the headers of a record',
);
assert(
  4 * limits.jsonDepthMax <= limits.valueDepthMax,
  'what the ingress takes can be nested in results',
);
assert(
  limits.s3PrefixMaxBytes +
    'lake//date=YYYY-MM-DD/hour=HH///'.length +
    limits.tableNameMaxChars +
    2 * limits.folderNameMaxBytes +
    limits.tableFileNameMaxBytes <=
    limits.s3KeyMaxBytes,
  'the longest path of a table fits a key',
);
assert(
  limits.kinesisRecordMaxBytes <= limits.batchMaxBytes,
  'a batch holds at least one record of the small path',
);
assert(
  limits.tokenMaxChars + 4 * kibi <= limits.httpHeadMaxBytes,
  'a head can carry the longest token',
);
assert(limits.kafkaRecordMaxBytes <= limits.bodyMaxBytes, 'a body can carry the largest event');
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.spoolSegmentMaxBytes,
  'the largest record fits a segment of a spool',
);
assert(limits.kafkaWriteMaxMs < limits.writeMaxMs, 'a write to Kafka ends by its own bound first');
assert(
  limits.kafkaWriteMaxMs + limits.writeAgainMaxMs < 15_000,
  'who sends an event hears within 15 s that Kafka did not take it',
);
assert(
  limits.unitMaxBytes + limits.recordHeadMaxBytes <= limits.kinesisRecordMaxBytes,
  'an aggregated record fits the small path',
);
assert(
  limits.timerChainMaxSteps <= limits.timerChainsMaxSteps,
  'one key may have the longest chain',
);
assert(limits.repeatChunkMinBytes <= limits.repeatChunkMaxBytes, 'chunks grow');
assert(
  limits.unitMaxEvents <= limits.aggregateMaxRecords,
  'what leaves together is taken apart again',
);
assert(
  limits.ndjsonCollectedMaxBytes <= limits.bodyMaxBytes,
  'a body that is collected is within the bound of bodies',
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
  2 * limits.strangerBodyMaxBytes <= limits.ingressInFlightMaxBytes / limits.strangerNetworkPart,
  'one request of a sender that is not identified yet is always admitted',
);
// uWebSockets.js closes a connection of which 160 KB do not arrive within 8 to 12 seconds, unless
// it is told to go on.
assert(2 * limits.bodyWatchMs < 8_000, 'a slow body is looked at before its connection is closed');
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.logPendingMaxBytes,
  'the largest record alone can be committed',
);
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.segmentMaxBytes,
  'the largest record fits a segment',
);
assert(
  limits.queryMemoryBytes < limits.questionMemoryMaxBytes,
  'DuckDB meets its own bound before its process does',
);
assert(
  limits.graphBufferBytes + limits.questionHeapMaxBytes < limits.questionMemoryMaxBytes,
  'a question to the graph has room for its pages and answer',
);
assert(
  (1 + limits.questionsWaitingMax / limits.questionsRunningMax) * limits.questionMaxMs +
    limits.graphCopyWaitMaxMs <
    limits.controlAnswerMaxMs,
  'a command waits for the answer to its question',
);
assert(
  Math.max(limits.graphQueryMaxBytes, limits.queryMaxBytes) < limits.questionOutputMaxBytes,
  'an answer is told whole',
);
assert(limits.graphKeyMaxBytes <= limits.graphWriteMaxBytes, 'a write can have the largest key');
assert(
  limits.readMaxMs > Math.max(limits.kinesisReadMaxMs, limits.kafkaRequestMaxMs),
  'a reader fails by its own bounds first',
);
assert(
  limits.skipAnswerMaxMs < limits.controlAnswerMaxMs,
  'a command waits for the answer to a skip',
);
assert(
  limits.lagWaitMs < limits.statusAnswerMaxMs,
  'a stream that does not say how far it is keeps no status from its answer',
);
assert(limits.jwksFreshMs < limits.jwksMaxAgeMs, 'a key set is fetched again before it ends');
assert(
  limits.jwksCooldownMs <= limits.jwksFreshMs,
  'a key that is not found is looked for before the set is fetched anyway',
);
assert(
  5 * limits.pathMaxElements <= limits.graphStagedMaxWrites,
  'the longest journey can be staged',
);
assert(limits.graphWriteMaxBytes <= limits.graphChunkMaxBytes, 'a chunk holds at least one write');
assert(
  limits.graphChunkMaxBytes <= limits.graphStagedMaxBytes,
  'staged writes make at least one chunk',
);
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.spoolReadMaxBytes,
  'a read has room for the largest record',
);
assert(
  limits.spoolReadMaxBytes <= limits.spoolsReadMaxBytes,
  'one read fits the memory of all spools',
);
assert(
  limits.kafkaRecordMaxBytes + limits.recordHeadMaxBytes <= limits.spoolsPendingMaxBytes,
  'the largest record alone can be spooled',
);
assert(
  limits.s3PatienceMs + limits.s3CallMaxMs < limits.checkpointSinksMaxMs,
  'a sink says why it failed before it is given up',
);
assert(
  limits.graphStagedMaxBytes < limits.graphStagedBehindMaxBytes,
  'a checkpoint can be staged while others wait for the database',
);
assert(
  limits.sinkCommitWaitMs < limits.checkpointIntervalMs,
  'a sink that is late keeps the others from no checkpoint',
);
assert(limits.s3PartBytes >= 5 * mebi, 'S3 takes a part of that size');
assert(
  limits.bodyDecodedMaxBytes <= limits.s3ObjectMaxBytes,
  'what is kept elsewhere can be read again',
);
assert(
  limits.bodyDecodedMaxBytes <= limits.sendEventMaxBytes,
  'what is too large for an ingress is reported in its own words',
);
