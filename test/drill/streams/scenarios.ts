/**
 * The faults between the ingress and the ends, under load, on real servers.
 */
import type { Scenarios } from './scenarios/judged.ts';
import { kafkaScenarios } from './scenarios/kafka.ts';
import { kinesisScenarios } from './scenarios/kinesis.ts';
import { serviceScenarios } from './scenarios/services.ts';
import { sinkScenarios } from './scenarios/sinks.ts';

export const scenariosOn: Scenarios = (cloudOf) =>
  [kafkaScenarios, kinesisScenarios, sinkScenarios, serviceScenarios].flatMap((scenarios) =>
    scenarios(cloudOf),
  );
