/**
 * `npm run drill:streams`: faults under load between the ingress and the ends, with the services as
 * processes and real servers: Kafka, Kinesis, S3, Firehose, Neo4j. For each: sent, acknowledged,
 * landed, rejected, lost, duplicated, stuck.
 */
import type { Cloud } from '../../servers/cloud.ts';
import { startCloud } from '../../servers/cloud.ts';
import { runScenarios } from '../run-scenarios.ts';
import { scenariosOn, shortNames } from './scenarios.ts';

const kafkaSessionMaxMs = 4_000;
let cloud: Promise<Cloud> | undefined;

try {
  await runScenarios(
    scenariosOn(() => (cloud ??= startCloud({ kafkaSessionMaxMs }))),
    ({
      sent,
      acknowledged,
      refused,
      landed,
      rejected,
      duplicated,
      lost,
      told,
      stuck,
      duplicatedRaw,
    }) =>
      `sent ${sent}, acknowledged ${acknowledged}, refused ${refused}, landed ${landed}, rejected ${rejected}, lost ${lost}${told === 0 ? '' : ` beside ${told} that are told`}, duplicated ${duplicated}, stuck ${stuck}; Firehose delivered ${duplicatedRaw} rows again`,
    shortNames,
  );
} finally {
  await (await cloud?.catch(() => undefined))?.stop();
}
