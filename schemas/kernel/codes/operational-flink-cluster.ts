/** Operational faults of what is asked of a Flink cluster. */
import type { OperationalEntry } from './entry.ts';

export const flinkClusterCodes = {
  'flink-jar-invalid': {
    retryable: false,
    means: 'The jar of the Flink job cannot be read, or is not a jar.',
    fix: 'Pass the jar of the job with `--jar`, or leave the option out.',
  },
  'flink-job-ambiguous': {
    retryable: false,
    means: 'Several running jobs have the name of the topology.',
    fix: 'Choose one with `--job`.',
  },
  'flink-job-failed': {
    retryable: 'sometimes',
    means: 'The job failed while it was started; the message has the cause that Flink gives.',
    fix: 'Correct the cause; the log of the task managers says more.',
  },
  'flink-job-running': {
    retryable: false,
    means: 'A job of the topology runs already.',
    fix: 'Drain or cancel it first: two of them would write the same rows.',
  },
  'flink-job-unknown': {
    retryable: false,
    means: 'No job of the topology runs on the cluster.',
    fix: 'Start it with `sluice flink submit`, or pass the right cluster with `--url`.',
  },
  'flink-positions': {
    retryable: false,
    means: 'The positions of a topology cannot be taken over, to Flink or from there.',
    fix: 'Do what the message says, such as to drain the topology first.',
  },
  'flink-refused': {
    retryable: 'sometimes',
    means: 'The Flink cluster refused a request; the message has the cause that it gives.',
    fix: 'Correct the cause that the message names.',
  },
  'flink-savepoint-failed': {
    retryable: true,
    means: 'Flink could not take the savepoint; the message has the cause that it gives.',
    fix: 'Correct the cause, such as a folder that the cluster cannot write, and try again.',
  },
  'flink-settings-invalid': {
    retryable: false,
    means: 'The settings of the Flink job cannot be read, or do not fit the topology.',
    fix: 'Correct what the message names in the file of `--settings`.',
  },
  'flink-timeout': {
    retryable: true,
    means: 'Flink did not finish in time; the operation continues.',
    fix: 'Ask again with `sluice flink status`, or wait longer with `--wait`.',
  },
  'flink-unreachable': {
    retryable: true,
    means: 'No Flink cluster answers at the address.',
    fix: 'Start the cluster, or pass the address of its JobManager with `--url`.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
