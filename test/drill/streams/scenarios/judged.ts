/**
 * What the scenarios of the drill share: services of their own on the cloud, a load, and the
 * verdict on what landed.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Losses } from '../../../../topology/checkpoint/losses.ts';
import { noLosses } from '../../../../topology/checkpoint/losses.ts';
import type { Cloud } from '../../../servers/cloud.ts';
import type { LoadOptions, Sent } from '../../clients.ts';
import type { Checks, Scenario } from '../../run-scenarios.ts';
import type { Rig, RigOptions } from '../rig.ts';
import { onCloud } from '../rig.ts';
import type { StreamsTally } from '../verdict.ts';
import { conserved, streamsTally } from '../verdict.ts';

export interface Done {
  readonly sent: Sent;
  /** Events that are gone before they were read, as the topology itself counts them. */
  readonly told?: number;
  readonly checks?: Checks;
  /** Looks at all that has landed: `lake` is a folder with its copy. */
  readonly after?: (lake: string) => Promise<Checks>;
}

export type During = (rig: Rig, scale: number) => Promise<Done>;

/** What a scenario's services have beside what all have. */
export type Own = Omit<RigOptions, 'name'>;

export type Scenarios = (cloudOf: () => Promise<Cloud>) => readonly Scenario<StreamsTally>[];

let runs = 0;

export async function judged(
  cloud: Cloud,
  own: Own,
  during: (rig: Rig) => Promise<Done>,
): ReturnType<Scenario<StreamsTally>['run']> {
  let later: Checks = [];
  const { value, landed } = await onCloud(
    cloud,
    { name: `drill-${runs++}`, ...own },
    during,
    async ({ after }, lake) => {
      later = (await after?.(lake)) ?? [];
    },
  );
  const { sent, told, checks = [] } = value;
  const tally = streamsTally(sent, landed, told);
  return { tally, checks: [...conserved(tally), ...checks, ...later] };
}

export const scenarioOn =
  (cloudOf: () => Promise<Cloud>) =>
  (name: string, what: string, during: During, own: Own = {}): Scenario<StreamsTally> => ({
    name,
    what,
    run: async (scale) => judged(await cloudOf(), own, (rig) => during(rig, scale)),
  });

/** The load for `seconds`, and beside it what happens to the servers. */
export async function under(
  rig: Rig,
  seconds: number,
  happens: () => Promise<void>,
  more?: Partial<LoadOptions>,
): Promise<Sent> {
  const [sent] = await Promise.all([rig.load(seconds * 1_000, more), happens()]);
  return sent;
}

export const happened = async ({ enrich }: Rig, name: string): Promise<number> =>
  (await enrich.status())?.topologies[0]?.happened[name] ?? 0;

export async function ingestHappened({ ingest }: Rig, name: string): Promise<number> {
  return Number(
    new RegExp(`connection_events_total\\{[^}]*"${name}"[^}]*\\} (\\d+)`).exec(
      await ingest.metrics(),
    )?.[1] ?? 0,
  );
}

/** Starts of the topology after a fault that it could not go on with, in this process. */
export const restartsOf = async ({ enrich }: Rig): Promise<number> =>
  (await enrich.status())?.topologies[0]?.restarts ?? 0;

/** What the topology says of records that are gone. */
export const lossesOf = async ({ enrich }: Rig): Promise<Losses> =>
  (await enrich.status())?.topologies[0]?.job?.losses ?? noLosses;

/** Asks until it is so; whether it became so. */
export async function until(isSo: () => Promise<boolean>, maxMs = 60_000): Promise<boolean> {
  for (const deadline = performance.now() + maxMs; performance.now() < deadline; await wait(200)) {
    if (await isSo()) return true;
  }
  return false;
}

/** Elements that the source has given so far. */
export async function readOf({ enrich }: Rig): Promise<number> {
  const nodes = (await enrich.status())?.topologies[0]?.job?.nodes ?? [];
  return nodes.find(({ id }) => id === 'events')?.in ?? 0;
}
