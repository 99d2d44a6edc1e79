/**
 * All commands, in the order in which help lists them.
 */
import type { Command } from '../command.ts';
import { configCheck, configSchema } from './config.ts';
import { drain } from './drain.ts';
import { enrich } from './enrich.ts';
import { graph } from './graph.ts';
import { ingest } from './ingest.ts';
import { init } from './init.ts';
import { keyNew } from './key.ts';
import { load } from './load.ts';
import { query } from './query.ts';
import { refused } from './refused.ts';
import { reset } from './reset.ts';
import { schemaTypes } from './schema.ts';
import { send } from './send.ts';
import { skip } from './skip.ts';
import { start } from './start.ts';
import { status } from './status.ts';
import { topologyBuild, topologyCheck, topologyDescribe } from './topology.ts';

export const commands: readonly Command[] = [
  start,
  ingest,
  enrich,
  init,
  send,
  load,
  query,
  graph,
  status,
  drain,
  skip,
  refused,
  reset,
  topologyDescribe,
  topologyCheck,
  topologyBuild,
  schemaTypes,
  keyNew,
  configCheck,
  configSchema,
];

/** Commands of two words, by the first. */
export const groups: Readonly<Record<string, string>> = {
  topology: 'Work with topology files',
  schema: 'Work with JSON Schemas',
  key: 'Work with API keys',
  config: 'Work with the configuration',
};
