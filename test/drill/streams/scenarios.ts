/**
 * The faults between the ingress and the ends, under load, on real servers.
 */
import { fanOutScenarios } from './scenarios/fan-out.ts';
import type { Scenarios } from './scenarios/judged.ts';
import { kafkaScenarios } from './scenarios/kafka.ts';
import { kinesisScenarios } from './scenarios/kinesis.ts';
import { lookupScenarios } from './scenarios/lookups.ts';
import { serviceScenarios } from './scenarios/services.ts';
import { sinkScenarios } from './scenarios/sinks.ts';
import { tableScenarios } from './scenarios/tables.ts';

export const scenariosOn: Scenarios = (cloudOf) =>
  [
    kafkaScenarios,
    kinesisScenarios,
    fanOutScenarios,
    tableScenarios,
    sinkScenarios,
    lookupScenarios,
    serviceScenarios,
  ].flatMap((scenarios) => scenarios(cloudOf));
