/**
 * What is in spools, and what their streams refuse for good.
 */
import { runSluice } from '../../../tools/service-process.ts';
import { smallestLargeBodyOf, wideBodyOf } from '../events.ts';
import type { Rig } from '../rig.ts';
import type { Scenarios } from './judged.ts';
import { scenarioOn, until } from './judged.ts';

/** Too large for the topic as it is then. */
const isAside = (n: number): boolean => n % 10 === 0;
const lowerBytes = '8000';
const higherBytes = '8388608';

export const spoolScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
    scenario(
      'spooled-and-refused',
      'the topic takes less than some events that wait in a spool; they are sent again by hand',
      async (rig, scale) => {
        const { kafka } = rig.cloud;
        await kafka.configure(rig.stream, 'max.message.bytes', lowerBytes);
        await kafka.kill();
        const sent = await rig.load(15_000 * scale, {
          bodyOf: (n) => (isAside(n) ? wideBodyOf(n) : smallestLargeBodyOf(n)),
        });
        await kafka.restart();
        const expected = Array.from({ length: sent.sent }, (_, n) => n).filter(isAside).length;
        const aside = await until(async () => (await refusedIn(rig)) === expected);
        const shown = await refused(rig, 'show', '--limit', String(expected + 1));
        const ids = shown.filter((line) => line.includes('"id":"e')).length;
        await kafka.configure(rig.stream, 'max.message.bytes', higherBytes);
        // It looks at its streams when it starts.
        await rig.ingest.end('SIGTERM');
        await rig.ingest.start();
        const said = (await refused(rig, 'send')).at(-1) ?? '';
        const left = await refusedIn(rig);
        const spooled = [...sent.acknowledged.values()].filter((ack) => ack === 'spooled').length;
        return {
          sent,
          checks: [
            [`all events were spooled (${spooled})`, spooled === sent.sent],
            [`those that are too large are set aside and listed (${expected})`, aside],
            [`they are shown (${ids})`, ids === expected],
            [`they are sent again: ${said}`, said.startsWith(`${expected} events sent, 0 refused`)],
            [`none is left (${left})`, left === 0],
          ],
        };
      },
      { routing: 'large_message_threshold_kb: 1', stream: 'when_down: spool' },
    ),
  ];
};

/** What `sluice refused` says, by line. */
async function refused({ ingest }: Rig, ...args: readonly string[]): Promise<readonly string[]> {
  const { said } = await runSluice(['--dir', ingest.dir, 'refused', ...args]);
  return said.trim().split('\n');
}

async function refusedIn({ ingest }: Rig): Promise<number> {
  const { said } = await runSluice(['--dir', ingest.dir, '--json', 'refused', 'list']);
  const line = said.split('\n').find((each) => each.startsWith('{'));
  const { refused: held } = JSON.parse(line ?? '{"refused":[]}') as {
    readonly refused: readonly { readonly events: number }[];
  };
  return held.reduce((sum, { events }) => sum + events, 0);
}
