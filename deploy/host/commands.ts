/**
 * What the running instance does on command of its owner, who asks over the control socket.
 */
import type { Clock, Timer } from '../../schemas/kernel/clock.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import type { SavepointInfo, SkipRequest } from '../../topology/index.ts';
import type { SavepointRequest, TopologyHost } from './hosted-topology.ts';

export interface ControlAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

/** A command that takes longer than this is answered before it is done. */
const savepointAnswerMs = limits.controlAnswerMaxMs / 4;

export interface DrainRequest {
  readonly topology: string;
}

interface SkipCall extends SkipRequest {
  readonly topology: string;
}

export interface GraphQuestion {
  readonly statement: string;
}

export function jsonAnswer(status: number, body: unknown): ControlAnswer {
  return { status, contentType: 'application/json', body: JSON.stringify(body) };
}

/**
 * Begins to drain the topology that the request names; `state` of its status tells how far it is.
 */
export async function drainAnswer(
  hosts: readonly TopologyHost[],
  body: string,
): Promise<ControlAnswer> {
  try {
    const { topology } = JSON.parse(body) as DrainRequest;
    const host = await hostOf(hosts, topology);
    await host.drain();
    return jsonAnswer(200, { draining: topology });
  } catch (thrown) {
    return refusalAnswer(thrown);
  }
}

/** Has a topology go past what it cannot read of a split. */
export async function skipAnswer(
  hosts: readonly TopologyHost[],
  body: string,
): Promise<ControlAnswer> {
  try {
    const { topology, split, to } = JSON.parse(body) as Partial<SkipCall>;
    if (typeof topology !== 'string' || typeof split !== 'string' || typeof to !== 'string')
      throw new SluiceError(
        'skip-invalid',
        'expected a topology, a split, and a position to skip to',
      );
    const host = await hostOf(hosts, topology);
    return jsonAnswer(200, { done: await host.skip({ split, to }) });
  } catch (thrown) {
    return refusalAnswer(thrown);
  }
}

interface SavepointCall extends SavepointRequest {
  readonly topology: string;
}

/** `taking`: whoever asks for it again waits for the same one. */
export type SavepointReply =
  | { readonly state: 'taking' }
  | { readonly state: 'taken'; readonly savepoint: SavepointInfo };

/** Has a topology keep its state under a name; its answer may come before that is done. */
export async function savepointAnswer(
  hosts: readonly TopologyHost[],
  body: string,
  clock: Clock,
): Promise<ControlAnswer> {
  let timer: Timer | undefined;
  try {
    const { topology, name, again } = JSON.parse(body) as Partial<SavepointCall>;
    if (typeof topology !== 'string' || typeof name !== 'string')
      throw new SluiceError('savepoint-invalid', 'expected a topology and the name of a savepoint');
    const host = await hostOf(hosts, topology);
    const taken = host
      .savepoint({ name, again: again === true })
      .then((savepoint): SavepointReply => ({ state: 'taken', savepoint }));
    const later = new Promise<SavepointReply>((resolve) => {
      timer = clock.setTimer(savepointAnswerMs, () => resolve({ state: 'taking' }));
    });
    return jsonAnswer(200, await Promise.race([taken, later]));
  } catch (thrown) {
    return refusalAnswer(thrown);
  } finally {
    timer?.cancel();
  }
}

/** Throws `SluiceError` `topology-unknown`, `topology-starting`. */
async function hostOf(hosts: readonly TopologyHost[], topology: string): Promise<TopologyHost> {
  const statuses = await Promise.all(hosts.map((host) => host.status()));
  const host =
    hosts[statuses.findIndex(({ name, file }) => name === topology || file === topology)];
  if (host !== undefined) return host;
  if (statuses.some(({ name, state }) => name === null && state === 'starting'))
    throw new SluiceError(
      'topology-starting',
      `'${topology}' is not known yet: topologies are starting`,
      { retryable: true },
    );
  const known = statuses.map(({ name, file }) => name ?? file).join(', ');
  throw new SluiceError(
    'topology-unknown',
    `no topology '${topology}' runs here; there is ${known || 'none'}`,
  );
}

/** Asks the graph in Cypher. The signal aborts when the asker goes away. */
export async function graphAnswer(
  graph: { query(statement: string, signal?: AbortSignal): Promise<unknown> },
  body: string,
  signal?: AbortSignal,
): Promise<ControlAnswer> {
  try {
    const { statement } = JSON.parse(body) as Partial<GraphQuestion>;
    if (typeof statement !== 'string')
      throw new SluiceError('query-failed', 'a question to the graph has a statement');
    return jsonAnswer(200, await graph.query(statement, signal));
  } catch (thrown) {
    return refusalAnswer(thrown);
  }
}

const statuses: Readonly<Record<string, number>> = {
  'topology-unknown': 404,
  'split-unknown': 404,
  'graph-missing': 404,
  'too-many-questions': 503,
};

function refusalAnswer(thrown: unknown): ControlAnswer {
  const code = thrown instanceof SluiceError ? thrown.code : 'defect';
  const fix = thrown instanceof SluiceError ? thrown.fix : undefined;
  const status = statuses[code] ?? 409;
  return jsonAnswer(status, {
    code,
    message: messageOf(thrown),
    ...(fix === undefined ? {} : { fix }),
  });
}
