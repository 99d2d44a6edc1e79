/**
 * What a running instance is asked from outside: its metrics on their listener, its status on its
 * control socket.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { readStatus } from '../../deploy/cli/ask.ts';
import type { Instance } from '../../deploy/host/instance.ts';
import { instanceFile } from '../../deploy/host/layout.ts';
import type { InstanceStatus } from '../../deploy/host/status.ts';

const publishedTries = 200;

/** The instance on `dir`, a moment after it answers for the first time at the latest. */
async function instanceOn(dir: string): Promise<Instance> {
  for (let tries = 0; ; tries++) {
    try {
      return JSON.parse(readFileSync(instanceFile(dir), 'utf8')) as Instance;
    } catch (thrown) {
      if (tries === publishedTries) throw thrown;
    }
    await sleep(20);
  }
}

/** Prometheus text. */
export async function metricsOf(dir: string): Promise<string> {
  const { metrics } = await instanceOn(dir);
  const answer = await fetch(metrics);
  if (!answer.ok) throw new Error(`${metrics} answers ${answer.status}`);
  return answer.text();
}

/** Undefined while none answers. */
export function statusOf(dir: string): Promise<InstanceStatus | undefined> {
  return readStatus(dir).catch(() => undefined);
}
