/**
 * `sluice ingest` and `sluice enrich`: each side as a process of its own, until SIGTERM or SIGINT.
 */
import { createLog } from '../../ingest/telemetry/log.ts';
import type { Environment } from '../../schemas/config-file.ts';
import { loadConfig } from '../../schemas/config-file.ts';
import type { Clock } from '../../schemas/kernel/clock.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import type { Random } from '../../schemas/kernel/random.ts';
import type { Instance } from '../host/instance.ts';
import { startPlaceOf } from '../host/start-place.ts';
import { startEnrich } from '../services/enrich.ts';
import { startIngest } from '../services/ingest.ts';
import {
  configReader,
  portOf,
  stopSignal,
  tellOfHttpServer,
  withMetricsPort,
} from './commands/start/start.ts';
import { createNotes } from './notes.ts';
import type { Output } from './output.ts';

export interface ServiceCommand {
  readonly config: string;
  readonly dir: string;
  readonly port: string | undefined;
  readonly env: Environment;
  readonly clock: Clock;
  readonly random: Random;
  readonly output: Output;
}

export interface IngestCommand extends ServiceCommand {
  readonly keyFile: string | undefined;
}

export interface EnrichCommand extends ServiceCommand {
  readonly dropState: readonly string[] | undefined;
  /** As a person writes it. */
  readonly from: string | undefined;
}

/** Resolves with the exit code once it was stopped. */
export async function ingestCommand(command: IngestCommand): Promise<number> {
  const { dir, clock, random, output, keyFile } = command;
  const stopped = stopSignal();
  // Its log is for a program in any case.
  const tell = createNotes(output, true, clock);
  const readConfig = configReader(command, tell);
  const config = readConfig();
  const log = createLog({ level: config.ingress.logLevel, json: true, to: process.stderr });
  const service = await startIngest({
    config,
    dir,
    clock,
    random,
    log,
    tell,
    readConfig,
    keyFile,
  });
  tellOfHttpServer(output);
  ready('ingest', service.instance, output);
  tell(`${await stopped}: stopping; no new requests, those in flight are answered`);
  await service.stop();
  tell('stopped');
  return 0;
}

/** Resolves with the exit code once it was stopped, or another process has taken over: then 1. */
export async function enrichCommand({
  config: file,
  dir,
  port,
  dropState,
  from: begin,
  env,
  clock,
  random,
  output,
}: EnrichCommand): Promise<number> {
  const loaded = loadConfig(file, env);
  const config =
    port === undefined
      ? loaded
      : { ...withMetricsPort(loaded, port), enrich: { ...loaded.enrich, port: portOf(port) } };
  if (config.topologies.length === 0)
    throw new SluiceError(
      'config-incomplete',
      `${file} lists no topologies, so there is nothing to enrich`,
    );
  const place = startPlaceOf(begin, clock.now());
  const stopped = stopSignal();
  const tell = createNotes(output, output.json, clock);
  const service = await startEnrich({
    config,
    dir,
    clock,
    random,
    tell,
    ...place,
    ...(dropState === undefined ? {} : { dropState }),
  });
  ready('enrich', service.instance, output);
  const why = await Promise.race([stopped, service.fenced.then(() => undefined)]);
  tell(
    why === undefined
      ? 'another process runs the topologies now; this one ends'
      : `${why}: stopping; a last checkpoint is taken`,
  );
  await service.stop();
  tell('stopped');
  return why === undefined ? 1 : 0;
}

function ready(service: string, instance: Instance, output: Output): void {
  output.line(
    output.json
      ? JSON.stringify({ ready: true, service, ...instance })
      : `Sluice ${service} is ready at ${instance.url}, metrics at ${instance.metrics}, pid ${instance.pid}`,
  );
}
