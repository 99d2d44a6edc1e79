/** Operational faults of a topology that is to run on Apache Flink. */
import type { OperationalEntry } from './entry.ts';

export const flinkCodes = {
  'flink-build': {
    retryable: 'sometimes',
    means: 'The Flink job could not be built.',
    fix: 'Run the Maven build that the message names, and look at what it says.',
  },
  'flink-bundle': {
    retryable: false,
    means: 'The topology cannot be evaluated outside of Node.',
    fix: 'Use only the language and plain JavaScript in a topology.',
  },
  'flink-tools-missing': {
    retryable: false,
    means: 'Java or Maven is not installed, and the Flink job is built with them.',
    fix: 'Install a JDK from 11 on and Maven.',
  },
  'flink-unsupported': {
    retryable: false,
    means: 'The topology has a node that the Flink job has no operator for.',
    fix: 'Run it on the engine here, or replace the node that the message names.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
