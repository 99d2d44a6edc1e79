/**
 * Many processes want one folder, by its path and by a link to it, while the other tenant sends;
 * its owner is killed in the middle, and they race for it again. One has it at a time, and
 * everything that was acknowledged is there once.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { rmSync, symlinkSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { findInstance } from '../../../../deploy/host/instance.ts';
import { foundIn } from '../../instance.ts';
import type { Attack, Door } from '../rig.ts';
import { openDoor } from '../rig.ts';

const main = fileURLToPath(new URL('../../../../../bundle/deploy/cli/main.js', import.meta.url));
const stream = 'other/events';
const takeoverMaxMs = 30_000;

interface Racer {
  readonly child: ChildProcess;
  /** Why it ended; undefined while it runs. */
  readonly said: () => string | undefined;
}

/** `sluice start` on the door's port: who takes the folder also answers those who send. */
function race(door: Door, dirs: readonly string[], count: number): readonly Racer[] {
  return Array.from({ length: count }, (_, n) => {
    const args = [
      main,
      '--dir',
      dirs[n % dirs.length] as string,
      '--config',
      door.configFile,
      'start',
      '--port',
      String(door.port),
    ];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    let ended = false;
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', () => (ended = true));
    return { child, said: () => (ended ? text : undefined) };
  });
}

/** Sends one event after the other, again under its id until it is acknowledged. */
function sender(door: Door): {
  stop(): Promise<{ readonly ids: readonly string[]; readonly repeats: number }>;
} {
  const ids: string[] = [];
  let repeats = 0;
  let running = true;
  const sending = (async () => {
    for (let n = 0; running; n++) {
      while (!(await isTaken(door, `r${n}`))) {
        repeats++;
        await wait(20);
      }
      ids.push(`r${n}`);
    }
  })();
  return {
    async stop() {
      running = false;
      await sending;
      return { ids, repeats };
    },
  };
}

function isTaken(door: Door, id: string): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = {
      authorization: `Bearer ${door.otherKey}`,
      'content-type': 'application/json',
      'x-event-id': id,
    };
    const sent = request(`${door.url}/v1/${stream}`, { method: 'POST', headers }, (answer) => {
      answer.resume();
      answer.once('close', () => resolve(answer.statusCode === 200));
    });
    sent.once('error', () => resolve(false));
    sent.end(`{"id":"${id}"}`);
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (
    const deadline = performance.now() + takeoverMaxMs;
    performance.now() < deadline;
    await wait(50)
  )
    if (await holds()) return;
}

const refusedAll = (racers: readonly Racer[]): boolean =>
  racers.every(({ said }) => said() !== undefined);

/** Races under the running owner, then for the folder of a killed one. */
async function raceTwice(door: Door, dirs: readonly string[], count: number) {
  const sent = sender(door);
  const under = race(door, dirs, count);
  await until(() => refusedAll(under));
  const refused = under.filter(({ said }) =>
    said()?.includes(`in use by pid ${door.service.pid}`),
  ).length;
  await door.service.end('SIGKILL');
  const after = race(door, dirs, count);
  await until(() => after.filter(({ said }) => said() === undefined).length === 1);
  await until(async () => (await findInstance(door.dir)) !== undefined);
  const owner = await findInstance(door.dir);
  await wait(300);
  const { ids, repeats } = await sent.stop();
  const left = after.filter(({ said }) => said() === undefined);
  for (const { child } of left) child.kill('SIGTERM');
  await until(() => refusedAll(after));
  return {
    refused,
    owners: left.length,
    isOwner: left[0]?.child.pid === owner?.pid,
    ids,
    repeats,
    racers: [...under, ...after],
  };
}

export const raceForFolder: Attack = {
  name: 'race-for-folder',
  what: 'twenty processes race for one folder while events are sent, and again when its owner was killed',
  async run(scale) {
    const door = await openDoor();
    const link = `${door.dir}-link`;
    symlinkSync(door.dir, link);
    const count = Math.max(4, Math.round(20 * scale));
    let racers: readonly Racer[] = [];
    try {
      const raced = await raceTwice(door, [door.dir, link], count);
      ({ racers } = raced);
      const found = (await foundIn(door.dir, stream, door.configFile)).map(({ id }) => id);
      const distinct = new Set(found);
      const lost = raced.ids.filter((id) => !distinct.has(id)).length;
      return {
        tally: {
          processes: 2 * count,
          owners: raced.owners,
          acknowledged: raced.ids.length,
          lost,
          again: raced.repeats,
        },
        checks: [
          [
            'every process beside the owner is refused, and told who it is',
            raced.refused === count,
          ],
          [
            'of those that race for the folder of a killed one, one has it',
            raced.owners === 1 && raced.isOwner,
          ],
          [
            'nothing acknowledged is lost, and the log is whole',
            raced.ids.length > 0 && lost === 0,
          ],
        ],
      };
    } finally {
      for (const { child } of racers) child.kill('SIGKILL');
      rmSync(link, { force: true });
      await door.close();
    }
  },
};
