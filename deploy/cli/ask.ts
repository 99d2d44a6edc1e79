/**
 * How commands ask the instance that runs on a directory, over loopback.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Instance } from '../host/instance.ts';
import { findInstance } from '../host/instance.ts';
import type { InstanceStatus } from '../host/status.ts';

/** Throws `SluiceError` `not-running`. */
async function requireInstance(dir: string): Promise<Instance> {
  const instance = await findInstance(dir);
  if (instance !== undefined) return instance;
  throw new SluiceError('not-running', `no instance runs on ${dir}`, { fix: 'start one with `sluice start`' });
}

/** Throws `SluiceError` `not-running`, `not-reachable`. */
export async function readStatus(dir: string): Promise<InstanceStatus> {
  const instance = await requireInstance(dir);
  try {
    const answer = await fetch(`${instance.url}/_sluice/status`);
    return (await answer.json()) as InstanceStatus;
  } catch (cause) {
    throw notReachable(instance, cause);
  }
}

/** Sends a command; throws what the instance refuses with, `not-running` or `not-reachable`. */
export async function commandInstance(dir: string, path: string, command: unknown): Promise<unknown> {
  const instance = await requireInstance(dir);
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(new URL(path, instance.url), { method: 'POST', headers, body: JSON.stringify(command) }).catch(
    (cause: unknown) => {
      throw notReachable(instance, cause);
    },
  );
  const body = await answer.text();
  if (answer.ok) return JSON.parse(body) as unknown;
  const refusal = parseRefusal(body);
  throw new SluiceError(refusal.code ?? 'refused', refusal.message ?? `the instance answers ${answer.status}: ${body.trim()}`, {
    ...(refusal.fix === undefined ? {} : { fix: refusal.fix }),
  });
}

function notReachable({ url }: Instance, cause: unknown): SluiceError {
  return new SluiceError('not-reachable', `the instance at ${url} does not answer: ${messageOf(cause)}`, { cause, retryable: true });
}

function parseRefusal(body: string): { readonly code?: string; readonly message?: string; readonly fix?: string } {
  try {
    return JSON.parse(body) as object;
  } catch {
    return {};
  }
}
