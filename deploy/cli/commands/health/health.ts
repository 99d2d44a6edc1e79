/**
 * `sluice health`: asks the instance on a folder what a load balancer would ask it, over HTTP at its
 * own address: `/healthz`, or `/readyz`. The same for `start`, `ingest` and `enrich`.
 */
import { get } from 'node:http';
import { messageOf, SluiceError } from '../../../../schemas/kernel/errors.ts';
import { findInstance } from '../../../host/instance.ts';
import { notRunning } from '../../ask.ts';
import type { Output } from '../../output.ts';

export interface HealthCommand {
  readonly dir: string;
  readonly ready: boolean;
  readonly output: Output;
}

/** Below the 3 s that the image's HEALTHCHECK waits. */
const answerMaxMs = 2_000;
const reasonMaxChars = 500;

/** Throws `SluiceError` `not-running`, `not-reachable`, `not-healthy`. */
export async function healthCommand({ dir, ready, output }: HealthCommand): Promise<number> {
  const instance = await findInstance(dir);
  if (instance === undefined) throw notRunning(dir);
  const url = `${instance.url}${ready ? '/readyz' : '/healthz'}`;
  const { status, text } = await ask(url).catch((cause: unknown) => {
    throw new SluiceError('not-reachable', `${url} does not answer: ${messageOf(cause)}`, {
      cause,
      retryable: true,
      fix: 'look at the log of the instance',
    });
  });
  if (status !== 200) {
    throw new SluiceError('not-healthy', `${url} answers ${status}: ${text.trim()}`, {
      retryable: true,
      fix: 'see `sluice status`',
    });
  }
  output.line(output.json ? JSON.stringify({ ok: true, url }) : `${url}: ${text.trim()}`);
  return 0;
}

function ask(url: string): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = get(url, { agent: false, timeout: answerMaxMs }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text = (text + chunk).slice(0, reasonMaxChars)));
      answer.once('error', reject);
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.once('timeout', () =>
      asked.destroy(new Error(`no answer within ${answerMaxMs / 1_000} s`)),
    );
    asked.once('error', reject);
  });
}
