/**
 * The configuration of a running server is spoiled in the ways in which files are: half saved,
 * emptied, deleted, without its keys. Meanwhile somebody without a key tries to send, and the other
 * tenant sends on. Then the attacker's key is taken out under its open WebSocket and upload.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { post } from '../../clients.ts';
import type { Attack, Door } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

/** How long the file stays as it is: several times what the server waits for it to settle. */
const stayMs = 400;
const closedWithinMs = 5_000;

const spoils: readonly ((door: Door, whole: string) => void)[] = [
  ({ configFile }) => writeFileSync(configFile, ''),
  ({ configFile }) => rmSync(configFile, { force: true }),
  ({ configFile }, whole) => writeFileSync(configFile, whole.slice(0, whole.indexOf('keys:'))),
  ({ configFile }, whole) =>
    writeFileSync(configFile, `${whole.slice(0, whole.indexOf('keys:'))}keys: []\n`),
  ({ configFile }, whole) => writeFileSync(configFile, whole.replace('keys:', 'keyz:')),
  ({ configFile }, whole) =>
    writeFileSync(configFile, whole.slice(0, whole.indexOf('sha256:') + 20)),
  ({ configFile }, whole) => writeFileSync(configFile, whole.trimEnd().slice(0, -1)),
];

/** Statuses of what is sent without a key, until the call of what is returned. */
function keyless(door: Door): () => Promise<Readonly<Record<number, number>>> {
  const agent = new Agent({ keepAlive: true });
  const statuses: Record<number, number> = {};
  let running = true;
  const sending = (async () => {
    while (running) {
      const { status } = await post(
        `${door.url}/v1/attacker/events`,
        '{"without":"a key"}',
        {},
        agent,
      );
      statuses[status] = (statuses[status] ?? 0) + 1;
      await wait(5);
    }
  })();
  return async () => {
    running = false;
    await sending;
    agent.destroy();
    return statuses;
  };
}

interface Closed {
  readonly code: number;
  readonly atMs: number;
}

function openSocket(
  door: Door,
  team: string,
  key: string,
): Promise<{ readonly socket: WebSocket; readonly closed: Promise<Closed> }> {
  const socket = new WebSocket(`${door.url.replace('http', 'ws')}/v1/${team}/events/ws`, {
    headers: { authorization: `Bearer ${key}` },
  });
  const closed = new Promise<Closed>((resolve) =>
    socket.once('close', (code) => resolve({ code, atMs: performance.now() })),
  );
  return new Promise((resolve, reject) => {
    socket.once('message', () => resolve({ socket, closed }));
    socket.once('error', reject);
  });
}

/**
 * A long upload that has begun and goes on by a line now and then. Resolves with the last line of
 * the answer once it ended.
 */
function openUpload(door: Door): { readonly line: () => void; readonly verdict: Promise<string> } {
  const headers = {
    authorization: `Bearer ${door.attackerKey}`,
    'content-type': 'application/x-ndjson',
  };
  const sent = request(`${door.url}/v1/attacker/events`, { method: 'POST', headers });
  const verdict = new Promise<string>((resolve) => {
    sent.once('error', (error) => resolve(error.message));
    sent.once('response', (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.once('end', () => resolve(text.trim().split('\n').at(-1) ?? ''));
    });
  });
  sent.write(`{"pad":"${'x'.repeat(1_000)}"}\n`.repeat(1_200));
  return { line: () => void sent.write('{"late":true}\n'), verdict };
}

export const spoiledConfiguration: Attack = {
  name: 'spoiled-configuration',
  what: 'the configuration of a running server is spoiled, then a key is taken out under its open connections',
  async run(scale) {
    const door = await openDoor({ more: 'local: {checkpoint_ms: 500}' });
    try {
      const whole = readFileSync(door.configFile, 'utf8');
      const other = otherTenant(door);
      const [gone, kept] = [
        await openSocket(door, 'attacker', door.attackerKey),
        await openSocket(door, 'other', door.otherKey),
      ];
      const upload = openUpload(door);
      const stop = keyless(door);
      for (let round = 0; round < Math.max(1, Math.round(3 * scale)); round++) {
        for (const spoil of spoils) {
          spoil(door, whole);
          await wait(stayMs);
        }
      }
      const statuses = await stop();
      const refused = (await door.service.status())?.configuration;
      const accepted = async (): Promise<number> =>
        (await door.service.status())?.ingress?.byStream['attacker/events']?.accepted.kinesis ?? -1;
      const before = await accepted();
      writeFileSync(door.configFile, `${whole.replace(/ {2}- \{name: attacker.*\n/, '')}`);
      const takenOutMs = performance.now();
      const closed = await Promise.race([gone.closed, wait(closedWithinMs, undefined)]);
      upload.line();
      const verdict = await Promise.race([upload.verdict, wait(closedWithinMs, '')]);
      const after = await accepted();
      const { errors, p99Ms } = await other.stop();
      const keptOpen = kept.socket.readyState === WebSocket.OPEN;
      kept.socket.close();
      const closedMs = Math.round((closed?.atMs ?? Number.NaN) - takenOutMs);
      const withoutKey = Object.values(statuses).reduce((sum, count) => sum + count, 0);
      return {
        tally: {
          withoutKey,
          letIn: statuses[200] ?? 0,
          refusedReloads: refused?.refused ?? 0,
          closedMs,
          otherErrors: errors,
          otherP99Ms: p99Ms,
        },
        checks: [
          [
            'nothing that came without a key was let in',
            withoutKey > 0 && statuses[401] === withoutKey,
          ],
          [
            'every spoiled file was refused, and the status says so',
            (refused?.refused ?? 0) >= spoils.length && refused?.refusal !== null,
          ],
          [
            'the idle WebSocket of the key that was taken out was closed with 4401',
            closed?.code === 4401,
          ],
          ['its upload ended with a verdict of 401', verdict.startsWith('{"verdict":401')],
          ['nothing of either was stored afterwards', before === 1_200 && after === before],
          ['the WebSocket of the other tenant stayed open', keptOpen],
          ['every request of the other tenant was answered with 200', errors === 0],
        ],
      };
    } finally {
      await door.close();
    }
  },
};
