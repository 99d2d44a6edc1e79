/**
 * How commands ask the instance that runs on a folder, over its control socket.
 */
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';
import { SluiceError } from '../../schemas/kernel/errors.ts';
import { askControl } from '../host/control-client.ts';
import { findInstance } from '../host/instance.ts';
import type { InstanceStatus } from '../host/status.ts';

/** Throws `SluiceError` `not-running`. */
async function requireInstance(dir: string): Promise<void> {
  if ((await findInstance(dir)) === undefined) throw notRunning(dir);
}

export function notRunning(dir: string): SluiceError {
  return new SluiceError('not-running', `no instance runs on ${dir}`, {
    fix: 'start one with `sluice start`',
  });
}

/** Throws `SluiceError` `not-running`, `not-reachable`. */
export async function readStatus(dir: string): Promise<InstanceStatus> {
  return (await ask(dir, '/_sluice/status')) as InstanceStatus;
}

/** Sends a command; throws what the instance refuses with, `not-running` or `not-reachable`. */
export function commandInstance(dir: string, path: string, command: unknown): Promise<unknown> {
  return ask(dir, path, command);
}

async function ask(dir: string, path: string, command?: unknown): Promise<unknown> {
  await requireInstance(dir);
  const { status, body } = await askControl(dir, path, command);
  if (status === 200) return JSON.parse(body) as unknown;
  const refusal = parseRefusal(body);
  throw new SluiceError(
    refusal.code ?? 'refused',
    refusal.message ?? `the instance answers ${status}: ${body.trim()}`,
    {
      ...(refusal.fix === undefined ? {} : { fix: refusal.fix }),
    },
  );
}

function parseRefusal(body: string): {
  readonly code?: OperationalCode;
  readonly message?: string;
  readonly fix?: string;
} {
  try {
    return JSON.parse(body) as object;
  } catch {
    return {};
  }
}
