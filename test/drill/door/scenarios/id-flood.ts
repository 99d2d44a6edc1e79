/**
 * A tenant with a key sends ever new ids, each about as long as an id may be, many times as many as
 * are remembered. The other tenant has sent events before, and sends them again: each is answered
 * as the first, none is written twice.
 */
import type { Attack, Door } from '../rig.ts';
import { openDoor, otherTenant } from '../rig.ts';

const mebi = 1_048_576;
const idChars = 2_000;
const linesPerRequest = 500;
const requestsAtOnce = 4;
const others = 500;

export const idFlood: Attack = {
  name: 'id-flood',
  what: `events with ids of ${idChars} characters, several times as many as the window of repeats holds`,
  async run(scale) {
    const windowMb = Math.max(1, Math.round(10 * scale));
    const ids = windowMb * 12_000;
    const door = await openDoor({
      ingress: `repeat_window_mb: ${windowMb}, repeat_window_s: 3600`,
      attackerStream: 'event: {id: /id}',
    });
    try {
      const first = await sendOwn(door);
      const before = door.memory().nowMb;
      const other = otherTenant(door);
      await flood(door, ids);
      const { sent, errors, statuses, p99Ms } = await other.stop();
      const again = await sendOwn(door);
      const { json } = await sendOne(
        door,
        door.attackerKey,
        'attacker',
        `{"id":"${idOf(0)}","n":0}`,
      );
      const gauges = gaugesOf(await door.service.metrics());
      const { peakMb } = door.memory();
      const tally = {
        ids,
        remembered: gauges.remembered,
        windowBytes: gauges.bytes,
        sent,
        errors,
        statuses,
        p99Ms,
        before,
        peakMb,
      };
      return {
        tally,
        checks: [
          [
            'what is remembered keeps to its bytes',
            gauges.bytes <= windowMb * mebi && gauges.remembered < ids,
          ],
          [
            'each event of the other tenant is still known',
            first.repeated === 0 && again.repeated === others,
          ],
          ["the attacker's own oldest id had to go", json['repeated'] !== true],
          ['the other tenant has no error', errors === 0 && sent > 0],
          ['memory stays within what requests and the window may take', peakMb < 512],
        ],
      };
    } finally {
      await door.close();
    }
  },
};

function idOf(n: number): string {
  return `${n}-`.padEnd(idChars, 'x');
}

async function flood(door: Door, ids: number): Promise<void> {
  let next = 0;
  const headers = {
    authorization: `Bearer ${door.attackerKey}`,
    'content-type': 'application/x-ndjson',
  };
  const sender = async (): Promise<void> => {
    while (next < ids) {
      const from = next;
      next += linesPerRequest;
      const body = Array.from(
        { length: linesPerRequest },
        (_, n) => `{"id":"${idOf(from + n)}","n":${from + n}}`,
      ).join('\n');
      const answer = await fetch(`${door.url}/v1/attacker/events`, {
        method: 'POST',
        headers,
        body,
      });
      await answer.arrayBuffer();
    }
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, sender));
}

async function sendOwn(door: Door): Promise<{ readonly repeated: number }> {
  const answers = await Promise.all(
    Array.from({ length: others }, (_, n) =>
      sendOne(door, door.otherKey, 'other', `{"n":${n}}`, { 'x-event-id': `own-${n}` }),
    ),
  );
  const wrong = answers.find(({ status }) => status !== 200);
  if (wrong !== undefined)
    throw new Error(`an event of the other tenant was answered with ${wrong.status}`);
  return { repeated: answers.filter(({ json }) => json['repeated'] === true).length };
}

async function sendOne(
  door: Door,
  key: string,
  team: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>> }> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...more };
  const answer = await fetch(`${door.url}/v1/${team}/events`, { method: 'POST', headers, body });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> };
}

function gaugesOf(text: string): { readonly remembered: number; readonly bytes: number } {
  const of = (name: string): number =>
    Number(
      new RegExp(`^sluice_ingress_repeats_${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN,
    );
  return { remembered: of('remembered'), bytes: of('bytes') };
}
