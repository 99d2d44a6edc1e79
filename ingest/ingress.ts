/**
 * The ingress: uWebSockets.js in front, pure decisions in the middle, record writers behind. This
 * file composes the parts: requests are handled in http/ and protocols/, events in intake.ts and
 * delivery/.
 *
 * Order of the shutdown: readiness off, no new connections, requests in flight answered (or 503
 * after `limits.shutdownMaxMs`), then deliveries and spools.
 */
import type { TemplatedApp, us_listen_socket } from 'uWebSockets.js';
import uws from 'uWebSockets.js';
import type { SluiceConfig } from '../schemas/config.ts';
import type { Clock } from '../schemas/kernel/clock.ts';
import { sleep } from '../schemas/kernel/clock.ts';
import type { Random } from '../schemas/kernel/random.ts';
import { uuidv7 } from '../schemas/kernel/random.ts';
import { limits } from '../schemas/limits.ts';
import type { BlobStore } from '../schemas/ports/blob-store.ts';
import type { Route } from '../schemas/ports/record.ts';
import type { RecordWriter } from '../schemas/ports/record-writer.ts';
import { createAccess } from './access/access.ts';
import { createQuotas } from './access/quotas.ts';
import { createRechecks } from './access/rechecks.ts';
import { bindStreams } from './bind.ts';
import { createFingerprints } from './delivery/fingerprint.ts';
import type { StreamRouteState } from './delivery/route-delivery.ts';
import { asyncapiText, openapiText } from './documents/documents.ts';
import { answerRefusal } from './event/answer.ts';
import type { Refusal } from './event/refusal.ts';
import { readAddressSecret } from './http/address-secret.ts';
import type { PostContext } from './http/body.ts';
import { watchBodies } from './http/body-watch.ts';
import { Door } from './http/door.ts';
import type { Exchange } from './http/exchange.ts';
import { listen, urlOf } from './http/listen.ts';
import type { AddressRule } from './http/request.ts';
import { Turns } from './http/turns.ts';
import { Intake } from './intake.ts';
import { mountProtocols } from './protocols/mount.ts';
import type { Connections } from './protocols/protocol.ts';
import { createRoom } from './room.ts';
import { startLedger } from './telemetry/ledger.ts';
import type { Log } from './telemetry/log.ts';
import type { IngressCounts, MetricsText } from './telemetry/metrics.ts';
import { IngressMetrics } from './telemetry/metrics.ts';
import type { ReloadState, Reloads } from './telemetry/reloads.ts';
import { createReloads } from './telemetry/reloads.ts';
import { createWarnings } from './telemetry/warnings.ts';

export type IngressSettings = Pick<SluiceConfig, 'streams' | 'routing' | 'ingress' | 'access'>;

export interface IngressOptions {
  readonly config: IngressSettings;
  readonly writers: Readonly<Record<Route, RecordWriter>>;
  /** Where spools are kept. Without, nothing is spooled. */
  readonly spoolDir?: string;
  /** Where data goes that is beyond both routes. Without, it is refused. */
  readonly blobs?: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Who this is, in the ledger. */
  readonly instance?: string;
  /** What happened to connections to the streams so far, by name: for metrics. */
  readonly happened?: () => Readonly<Record<string, number>>;
}

export interface Ingress {
  readonly port: number;
  readonly url: string;
  counts(): IngressCounts;
  /**
   * All numbers as Prometheus text. They name the streams of every team: no route of this server
   * tells them.
   */
  metrics(): Promise<MetricsText>;
  /** Breaker, queue and spool of every stream and route. */
  routes(): readonly StreamRouteState[];
  /**
   * Keys, issuers, quotas and origins as they are now in the configuration; connections stay whose
   * senders it still lets in. Throws `SluiceError` `jwks-file-invalid`; then everything is as
   * before.
   */
  reload(config: IngressSettings): void;
  /** A changed configuration is not taken over: said in the log, the metrics and `reloads`. */
  refuseReload(why: string): void;
  reloads(): ReloadState;
  /**
   * Readiness off, no new connections, pending requests answered; what cannot finish within
   * `limits.shutdownMaxMs` gets 503.
   */
  shutDown(): Promise<void>;
}

const shutdownPollMs = 10;

/**
 * Starts listening. Throws `SluiceError` `port-taken`, `stream-missing`, `route-impossible`,
 * `stream-corrupt` (of a spool).
 */
export async function createIngress(options: IngressOptions): Promise<Ingress> {
  const { config, clock, random, log } = options;
  const { host, port } = config.ingress;
  const context = await hallOf(options);
  const { metrics, intake } = context;
  const app = uws.App();
  const rule = addressRuleOf(config);
  const connections = mountProtocols(app, context, new Door(context, rule), rule);
  const reloads = createReloads();
  metrics.gauges(() => ({
    inFlightBytes: context.room.all.bytes,
    bufferedBytes: intake.bufferedBytes,
    webSockets: connections.reduce((sum, { count }) => sum + count, 0),
    repeats: intake.remembered,
    spoolMaxBytes: config.ingress.spoolMaxBytes,
    routes: intake.states(),
    reloads: reloads.state(),
    ...(options.happened === undefined ? {} : { happened: options.happened() }),
  }));
  const listener = await listen(app, host, port).catch(async (thrown: unknown) => {
    // Spools are being emptied already; that must not continue behind a start that failed.
    await intake.close();
    throw thrown;
  });
  const watch = watchBodies(context);
  const ledger = startLedger({
    clock,
    random,
    counts: () => metrics.counts(),
    intake,
    log,
    instance: options.instance ?? 'local',
  });
  return new RunningIngress({ context, app, listener, host, connections, reloads, watch, ledger });
}

/** What all requests share. */
async function hallOf(options: IngressOptions): Promise<PostContext> {
  const { config, clock, random, log } = options;
  const { bodyMaxBytes, bodyDecodedMaxBytes, inFlightMaxBytes } = config.ingress;
  const { repeatWindowMs, repeatWindowMaxBytes, addressSecret } = config.ingress;
  const metrics = new IngressMetrics();
  const warnings = createWarnings();
  const intake = new Intake({
    streams: await bindStreams({ ...options, metrics }),
    repeatWindowMs,
    repeatWindowMaxBytes,
    fingerprintOf: await createFingerprints(random),
    clock,
    metrics,
    warnings,
  });
  return {
    clock,
    random,
    log,
    intake,
    room: createRoom(inFlightMaxBytes, bodyMaxBytes + bodyDecodedMaxBytes),
    turns: new Turns(),
    metrics,
    warnings,
    access: createAccess(config.access, { clock, random, log }),
    quotas: createQuotas(config),
    rechecks: createRechecks(clock),
    bounds: config.ingress,
    documents: { openapi: openapiText, asyncapi: asyncapiText },
    addressSecret: readAddressSecret(addressSecret),
    newId: () => uuidv7(clock.now(), random),
    open: [],
    isShuttingDown: false,
  };
}

/** The address is looked for where a quota or a stream's context asks for it. */
function addressRuleOf({ ingress, streams }: IngressSettings): AddressRule {
  return {
    wanted:
      ingress.addressQuota !== undefined ||
      streams.some(({ context: kept }) => (kept?.ip ?? 'none') !== 'none'),
    trustedProxies: ingress.trustedProxies,
  };
}

interface Running {
  readonly context: PostContext;
  readonly app: TemplatedApp;
  readonly listener: us_listen_socket;
  readonly host: string;
  readonly connections: readonly Connections[];
  readonly reloads: Reloads;
  readonly watch: { stop(): void };
  readonly ledger: { stop(): Promise<void> };
}

class RunningIngress implements Ingress {
  readonly port: number;
  readonly url: string;
  readonly #running: Running;

  constructor(running: Running) {
    const { host, listener } = running;
    this.#running = running;
    this.port = uws.us_socket_local_port(listener);
    this.url = urlOf(host, this.port);
  }

  counts(): IngressCounts {
    return this.#running.context.metrics.counts();
  }

  async metrics(): Promise<MetricsText> {
    const { metrics } = this.#running.context;
    return { contentType: metrics.contentType, text: await metrics.text() };
  }

  routes(): readonly StreamRouteState[] {
    return this.#running.context.intake.states();
  }

  reload(next: IngressSettings): void {
    const { context, reloads } = this.#running;
    context.access.reload(next.access);
    context.quotas.reload(next);
    context.rechecks.run();
    reloads.took();
    context.log.info({ keys: next.access.keys.length }, 'keys and quotas reloaded');
  }

  refuseReload(why: string): void {
    const { context, reloads } = this.#running;
    reloads.refused(why, context.clock.now());
    context.log.error(
      { why },
      'the changed configuration was refused; the previous one stays in force',
    );
  }

  reloads(): ReloadState {
    return this.#running.reloads.state();
  }

  async shutDown(): Promise<void> {
    const { context, app, listener, connections, watch, ledger } = this.#running;
    const { clock, intake, log } = context;
    if (context.isShuttingDown) return;
    context.isShuttingDown = true;
    uws.us_listen_socket_close(listener);
    const deadline = clock.monotonic() + limits.shutdownMaxMs;
    const isLate = (): boolean => clock.monotonic() >= deadline;
    const pause = (): Promise<void> => sleep(clock, shutdownPollMs);
    await Promise.all(connections.map((each) => each.close(isLate, pause)));
    while (context.open.length > 0 && !isLate()) await pause();
    for (const exchange of [...context.open]) turnAway(exchange);
    while (intake.bufferedBytes > 0 && !isLate()) await pause();
    if (intake.bufferedBytes > 0)
      log.warn(
        { bytes: intake.bufferedBytes },
        'events that were acknowledged from memory are lost',
      );
    app.close();
    watch.stop();
    await ledger.stop();
    await intake.close();
  }
}

/** The answer of a request that does not finish in time. */
function turnAway(exchange: Exchange): void {
  const refusal: Refusal = {
    status: 503,
    code: 'draining',
    message: 'the instance stops',
    expected: 'send it again, under the same id',
    outcome: 'unknown',
  };
  // Events that were handed on are counted by what becomes of them.
  if (exchange.checkedMs === undefined) exchange.refuse(refusal, true);
  else if (exchange.isStreaming) exchange.breakOff();
  else exchange.answer(answerRefusal(refusal), true);
}
