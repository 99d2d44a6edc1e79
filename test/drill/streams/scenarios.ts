/**
 * The faults between the ingress and the ends, under load, on real servers.
 */
import { fanOutScenarios } from './scenarios/fan-out.ts';
import type { Scenarios } from './scenarios/judged.ts';
import { kafkaScenarios } from './scenarios/kafka.ts';
import { kafkaClusterScenarios } from './scenarios/kafka-cluster.ts';
import { kinesisScenarios } from './scenarios/kinesis.ts';
import { lookupScenarios } from './scenarios/lookups.ts';
import { serviceScenarios } from './scenarios/services.ts';
import { sinkScenarios } from './scenarios/sinks.ts';
import { spoolScenarios } from './scenarios/spools.ts';
import { tableScenarios } from './scenarios/tables.ts';

const all: readonly Scenarios[] = [
  kafkaScenarios,
  kinesisScenarios,
  fanOutScenarios,
  tableScenarios,
  sinkScenarios,
  lookupScenarios,
  serviceScenarios,
  spoolScenarios,
  // Last, as those of its brokers stay.
  kafkaClusterScenarios,
];

export const scenariosOn: Scenarios = (cloudOf) => all.flatMap((scenarios) => scenarios(cloudOf));

/**
 * Those of the short form, by what they are about. What the soak does in its short form, and what a
 * test of one part does to the same server, is left to the full form.
 */
const short = {
  Kafka: ['topic-created-again'],
  Kinesis: ['resharding'],
  S3: ['s3-slow-and-failing'],
  checkpoints: ['checkpoints-gone'],
} as const;

export const shortNames: readonly string[] = Object.values(short).flat();
