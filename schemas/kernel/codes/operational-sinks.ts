/**
 * Operational faults of sinks, stores, look-ups and questions; those that only one of what sinks
 * write to has are in its file in schemas/sinks.
 */
import type { OperationalEntry } from './entry.ts';

export const sinkCodes = {
  'blob-key-invalid': {
    retryable: false,
    means: 'The key of a blob has characters that no blob has.',
    fix: 'Report it: this is a defect.',
  },
  'blob-store-failed': {
    retryable: true,
    means: 'A file of the blob store cannot be read or written.',
    fix: 'Look at the disk.',
  },
  'bucket-missing': {
    retryable: false,
    means: 'The bucket does not exist.',
    fix: 'Create it, or correct `s3.bucket` and the region.',
  },
  'columns-reserved': {
    retryable: false,
    means: 'A table has columns with names that delivery adds itself.',
    fix: 'Rename the columns.',
  },
  'disk-full': {
    retryable: true,
    means: 'The disk is full.',
    fix: 'Free some space; rows that were not committed are delivered again.',
  },
  'duckdb-missing': {
    retryable: false,
    means: 'DuckDB cannot be loaded on this machine.',
    fix: 'Run `npm ci` with optional dependencies, or read the Parquet files with another tool.',
  },
  'graph-behind': {
    retryable: false,
    means: 'The graph is older than the checkpoints.',
    fix: 'Restore the graph that belongs to them, or start from an empty state with `sluice reset`.',
  },
  'graph-busy': {
    retryable: true,
    means: 'Neo4j is busy, or the data to write is locked.',
    fix: 'Run `SHOW TRANSACTIONS` to see who holds locks.',
  },
  'graph-closed': {
    retryable: true,
    means: 'The connection to the graph was closed because its run or the instance ended.',
    fix: 'Nothing: the next run opens it again.',
  },
  'graph-constraint-blocked': {
    retryable: false,
    means: 'Neo4j cannot have a constraint that the graph sink needs.',
    fix: 'Run the statements that the message lists.',
  },
  'graph-copy-failed': {
    retryable: 'sometimes',
    means: 'The graph cannot be copied to answer questions.',
    fix: 'Stop the instance and ask again, or look at the disk.',
  },
  'graph-denied': {
    retryable: true,
    means: 'Neo4j does not let this user log in or do this.',
    fix: 'Correct `neo4j.user` and `neo4j.password_file`, and the rights of the user.',
  },
  'graph-in-use': {
    retryable: false,
    means: 'Another process has the graph open.',
    fix: 'Stop it.',
  },
  'graph-missing': {
    retryable: 'sometimes',
    means: 'The graph or the database does not exist.',
    fix: 'Create it, correct `neo4j.database`, or run a topology with a graph sink.',
  },
  'graph-model-mismatch': {
    retryable: false,
    means: 'The graph model does not fit the graph that exists.',
    fix: 'Use other names in the model, or an empty graph.',
  },
  'graph-native-missing': {
    retryable: false,
    means: 'The embedded graph database cannot be loaded on this machine.',
    fix: 'Run `npm ci` with optional dependencies and install scripts.',
  },
  'graph-open-failed': {
    retryable: false,
    means: 'The file of the graph cannot be opened.',
    fix: 'Look at the cause in the message.',
  },
  'graph-unreachable': {
    retryable: true,
    means: 'Neo4j does not answer.',
    fix: 'Check the network and `neo4j.url`.',
  },
  'graph-write-failed': {
    retryable: true,
    means: 'The graph database failed to write.',
    fix: 'Look at the cause in the message.',
  },
  'influence-too-large': {
    retryable: false,
    means: 'A path has more pairs of promo and conversion than the graph can write at once.',
    fix: 'Use a shorter window, or filter before it.',
  },
  'journey-window': {
    retryable: false,
    means: 'A journey is used with a window that can fire again.',
    fix: 'Remove `allowedLateness` and early firings.',
  },
  'lake-missing': {
    retryable: false,
    means: 'The folder has no tables.',
    fix: 'Run `sluice start` there first, or use `--dir`.',
  },
  'lake-path-invalid': {
    retryable: false,
    means: 'A path leads out of the folder of the tables.',
    fix: 'Restore the checkpoints and the folder `.staging` of the tables from a copy.',
  },
  'lake-taken-over': {
    retryable: false,
    means: 'A later run of the topology has published this file.',
    fix: 'Stop this run; nothing is lost while the later one continues.',
  },
  'lake-write-failed': {
    retryable: true,
    means: 'A file of a table cannot be written.',
    fix: 'Look at the disk.',
  },
  'lookup-aborted': {
    retryable: false,
    means: 'The look-up was canceled because its run ended.',
    fix: 'Nothing: the next run asks again.',
  },
  'lookup-answer-invalid': {
    retryable: true,
    means: 'The answer of a look-up is too large or is not JSON.',
    fix: 'Correct the service, or the address of the connector.',
  },
  'lookup-held': {
    retryable: true,
    means: 'Look-ups fail, and the test driver has elements that wait for them.',
    fix: "Answer them, or use `whenFailing: 'reject'`.",
  },
  'lookup-refused': {
    retryable: true,
    means: 'The service of a look-up answered with an error.',
    fix: 'Nothing: the look-up is retried. Look at the service.',
  },
  'lookup-table-invalid': {
    retryable: false,
    means: 'A table that is looked up has rows that do not fit, or is too large.',
    fix: 'Correct the file or its schema.',
  },
  'lookup-table-missing': {
    retryable: false,
    means: 'A table that is looked up does not exist.',
    fix: 'Correct its path, which is relative to the file of the topology.',
  },
  'lookup-timeout': {
    retryable: true,
    means: 'A look-up had no answer in time.',
    fix: 'Nothing: the look-up is retried. Raise its timeout if the service needs longer.',
  },
  'lookup-unreachable': {
    retryable: true,
    means: 'The service of a look-up cannot be reached.',
    fix: 'Nothing: the look-up is retried. Check the network and the address.',
  },
  'path-element': {
    retryable: false,
    means:
      'An element of a journey or an influence path has an id, time or value that the graph cannot hold.',
    fix: 'Correct the function that returns it.',
  },
  'path-full': {
    retryable: false,
    means: 'A path has more elements than one window may have.',
    fix: 'Use a shorter gap, or filter before the window.',
  },
  'query-failed': {
    retryable: false,
    means: 'The statement failed.',
    fix: 'Correct the statement; the message is that of the database.',
  },
  's3-failed': {
    retryable: 'sometimes',
    means: 'A call to S3 failed.',
    fix: 'Look at the operation and the code in the message.',
  },
  's3-refused': {
    retryable: false,
    means: 'S3 refuses the call.',
    fix: 'Check the credentials and their rights.',
  },
  'sink-closed': {
    retryable: true,
    means: 'The graph sink was closed because its run ended.',
    fix: 'Nothing: the next run applies its writes.',
  },
  'sink-ended': {
    retryable: 'sometimes',
    means: 'The thread that writes a table ended.',
    fix: 'Nothing: the topology starts again from its last checkpoint.',
  },
  'staged-file-missing': {
    retryable: false,
    means: 'A file that the last checkpoint refers to is missing.',
    fix: 'Restore it from a backup, or start from an empty state with `sluice reset`.',
  },
  'table-invalid': {
    retryable: false,
    means: 'A table for look-ups was declared without a schema or a key.',
    fix: 'Write `fileTable(file, schema, { key })`.',
  },
  'table-mismatch': {
    retryable: false,
    means: 'The rows do not fit the table that exists.',
    fix: 'Give the table another name, or undo the change of its schema.',
  },
  'too-many-questions': {
    retryable: true,
    means: 'The maximum number of questions is running and waiting.',
    fix: 'Ask again when some are answered.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
