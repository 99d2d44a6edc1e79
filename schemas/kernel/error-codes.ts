/**
 * Every code of Sluice in one table: its lane, whether a retry can help, its HTTP status, what it
 * means and what to do. docs/reference/errors.md is generated from it (`npm run docs:reference`).
 *
 * Invariants:
 * 1. The lanes never mix: a refusal has a `RefusedCode`, a rejected row a `RejectedCode`, a
 *    `SluiceError` an `OperationalCode`. A name may be in two lanes if it means the same in both.
 * 2. Every code in the table is used, and every code that is used is in the table
 *    (test/schemas/error-codes.test.ts).
 * 3. Codes are stable: clients, rows and alarms depend on them.
 */

import { sinkPartCodes } from '../sinks/sinks.ts';
import type { CodeEntry } from './codes/entry.ts';
import { flinkCodes } from './codes/operational-flink.ts';
import { flinkClusterCodes } from './codes/operational-flink-cluster.ts';
import { instanceCodes } from './codes/operational-instance.ts';
import { loadCodes } from './codes/operational-load.ts';
import { sinkCodes } from './codes/operational-sinks.ts';
import { streamCodes } from './codes/operational-streams.ts';
import { topologyCodes } from './codes/operational-topologies.ts';
import { refusedEvents } from './codes/refused-events.ts';
import { refusedRequests } from './codes/refused-requests.ts';
import { rejectedCodes } from './codes/rejected.ts';

export type RefusedCode = keyof typeof refusedRequests | keyof typeof refusedEvents;
export type RejectedCode = keyof typeof rejectedCodes;
export type OperationalCode =
  | keyof typeof instanceCodes
  | keyof typeof loadCodes
  | keyof typeof topologyCodes
  | keyof typeof flinkCodes
  | keyof typeof flinkClusterCodes
  | keyof typeof streamCodes
  | keyof typeof sinkCodes
  | keyof typeof sinkPartCodes;

export type Lane = 'refused' | 'rejected' | 'operational';

export interface ErrorCode extends CodeEntry {
  readonly code: string;
  readonly lane: Lane;
  /** A section of the page of codes. */
  readonly about: string;
  /** Undefined for a rejected row, which nobody tries again. */
  readonly retryable?: boolean | 'sometimes';
  /** HTTP; of refusals only. */
  readonly status?: readonly number[];
  /** Where it is documented. */
  readonly page: string;
}

const tables: readonly (readonly [Lane, string, Readonly<Record<string, CodeEntry>>])[] = [
  ['refused', 'Refused: the request', refusedRequests],
  ['refused', 'Refused: the event, and its way into the stream', refusedEvents],
  ['rejected', 'Rejected by a topology', rejectedCodes],
  ['operational', 'The instance, its configuration and its commands', instanceCodes],
  ['operational', 'Load tests', loadCodes],
  ['operational', 'Topologies', topologyCodes],
  ['operational', 'Apache Flink', { ...flinkCodes, ...flinkClusterCodes }],
  ['operational', 'Streams', streamCodes],
  ['operational', 'Sinks, stores, look-ups and questions', { ...sinkCodes, ...sinkPartCodes }],
];

export const errorCodes: readonly ErrorCode[] = tables.flatMap(([lane, about, entries]) =>
  Object.entries(entries).map(([code, entry]) => ({
    ...entry,
    code,
    lane,
    about,
    page: `docs/reference/errors.md#${lane}-${code}`,
  })),
);
