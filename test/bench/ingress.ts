/**
 * `npm run bench:ingress`: what the ingress costs and gives, beside a naive server and beside the
 * stack of the origin, under the same client and the same stub of Kinesis in the same run, ratios
 * first. What it does not show: test/bench/README.md, and its last lines.
 *
 *   --seconds N      of each measurement (default 10)
 *   --rounds N       of the comparison with the naive server, in turns of half as long (default 7)
 *   --connections N  of the closed loops (default 1024)
 *   --beside DIR     also the ingress of another build, in the same turns, to compare a change
 *   --no-seed        without the stack of the origin, which needs python3 and pip
 *   --memory         also memory over time under load; --minutes N (default 10)
 *   --json           one JSON object
 *   --short          a few seconds in all: that it runs, not what it shows
 */
import { parseArgs } from 'node:util';
import type { ServerKind, Settings } from './ingress-measure.ts';
import {
  compareServers,
  measureMemory,
  measureOpenLoop,
  measureWebSockets,
  trySeed,
} from './ingress-measure.ts';
import { startLoad } from './ingress-processes.ts';
import type { IngressReport } from './ingress-report.ts';
import { ratiosOf, textOf } from './ingress-report.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '7' },
    connections: { type: 'string', default: '1024' },
    minutes: { type: 'string', default: '10' },
    beside: { type: 'string', default: '' },
    'no-seed': { type: 'boolean', default: false },
    memory: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
  },
});

const { short } = options;
const settings: Settings = short
  ? { seconds: 0.4, warmUpSeconds: 0.2, rounds: 1, connections: 64 }
  : {
      seconds: Number(options.seconds),
      warmUpSeconds: 8,
      rounds: Number(options.rounds),
      connections: Number(options.connections),
    };
const { seconds, warmUpSeconds } = settings;

const load = await startLoad();
const seedTried = options['no-seed']
  ? []
  : await trySeed(load, short ? [2] : [1, 2, 3, 4], { ...settings, seconds: seconds / 2 });
const seedWorkers = [...seedTried].sort((a, b) => b.eventsPerSecond - a.eventsPerSecond)[0]
  ?.workers;
const peers = { seedWorkers: seedWorkers ?? 1, beside: options.beside };
const besides: readonly ServerKind[] = options.beside === '' ? [] : ['beside'];
const kinds: readonly ServerKind[] = [
  'bare',
  'naive',
  'full',
  ...besides,
  ...(seedWorkers === undefined ? [] : (['seed'] as const)),
];
const turns = { ...settings, seconds: seconds / 2 };
const compared = await compareServers(load, kinds, 5_000, turns, peers);
const small = await compareServers(load, ['naive', 'full', ...besides], 200, turns, peers);
const steady = await measureOpenLoop(load, {
  rate: short ? 500 : 4_500,
  busMs: 20,
  seconds,
  warmUpSeconds,
});
const ordered = await measureOpenLoop(load, {
  rate: short ? 200 : 1_000,
  busMs: 20,
  seconds,
  warmUpSeconds,
  ordered: true,
});
const webSockets = await measureWebSockets(load, settings);
const memory = options.memory
  ? await measureMemory(load, Number(options.minutes), 4_500)
  : undefined;
await load.stop();

const measured = {
  compared: compared.rounds,
  small: small.rounds,
  seedTried,
  steady,
  ordered,
  webSockets,
  memory,
};
const report: IngressReport = { settings, busMs: 20, ...measured, ratios: ratiosOf(measured) };
console.log(options.json ? JSON.stringify(report) : textOf(report));
