/**
 * What happens to the services themselves: credentials that end or change, and kills.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { seededRandom } from '../../../../schemas/kernel/random.ts';
import type { Cloud } from '../../../servers/cloud.ts';
import { otherCredentials } from '../../../servers/cloud.ts';
import { testCredentials } from '../../../servers/kinesis.ts';
import type { EndingCredentials, Rig } from '../rig.ts';
import { endingCredentials } from '../rig.ts';
import type { Done, Scenarios } from './judged.ts';
import { happened, ingestHappened, judged, scenarioOn, under } from './judged.ts';

/** Runs with credentials that end after `lifeMs` and are given out anew before. */
async function withCredentials(
  cloud: Cloud,
  lifeMs: number,
  chosen: () => Parameters<EndingCredentials['give']>[0],
  during: (rig: Rig) => Promise<Done>,
): ReturnType<typeof judged> {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-credentials-'));
  const credentials = endingCredentials(dir);
  const give = (): void => credentials.give(chosen(), lifeMs);
  give();
  const renewing = setInterval(give, lifeMs / 3);
  try {
    return await judged(cloud, { env: credentials.env }, during);
  } finally {
    clearInterval(renewing);
    rmSync(dir, { recursive: true, force: true });
  }
}

export const serviceScenarios: Scenarios = (cloudOf) => {
  const scenario = scenarioOn(cloudOf);
  return [
    {
      name: 'tokens-expire',
      what: 'credentials and tokens live for 15 s, sessions of Kafka end after 4 s, and all are renewed',
      run: async (scale) =>
        withCredentials(
          await cloudOf(),
          15_000,
          () => testCredentials,
          async (rig) => {
            const sent = await rig.load(Math.max(40_000 * scale, 16_000));
            const signed = [
              await happened(rig, 'kafka-token-signed'),
              await ingestHappened(rig, 'kafka-token-signed'),
            ];
            return {
              sent,
              checks: [
                [
                  `tokens were signed anew (${signed.join(' and ')})`,
                  signed.every((count) => count > 1),
                ],
              ],
            };
          },
        ),
    },
    {
      name: 'credentials-changed',
      what: 'the credentials become those of another principal',
      run: async (scale) => {
        let other = false;
        return withCredentials(
          await cloudOf(),
          15_000,
          () => (other ? otherCredentials : testCredentials),
          async (rig) => {
            const sent = await under(rig, Math.max(40 * scale, 18), async () => {
              await wait(3_000);
              other = true;
            });
            const changed = [
              await happened(rig, 'kafka-principal-changed'),
              await ingestHappened(rig, 'kafka-principal-changed'),
            ];
            return {
              sent,
              checks: [
                [
                  `connections were made for it (${changed.join(' and ')})`,
                  changed.every((count) => count === 1),
                ],
              ],
            };
          },
        );
      },
    },
    scenario(
      'enrich-killed',
      'the enrich process is killed with SIGKILL at ten random points',
      async (rig, scale) => {
        const random = seededRandom(Number(process.env['DRILL_SEED'] ?? process.pid));
        const kills = scale < 1 ? 2 : 10;
        const sent = await under(rig, 40 * scale, async () => {
          for (let kill = 0; kill < kills; kill++) {
            await wait(500 + random.next() * 3_000);
            await rig.enrich.end('SIGKILL');
            await rig.enrich.start();
          }
        });
        return { sent };
      },
    ),
  ];
};
