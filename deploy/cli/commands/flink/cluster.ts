/**
 * The Flink cluster that a command is for.
 */
import type { Environment } from '../../../../schemas/config-file.ts';
import type { Clock } from '../../../../schemas/kernel/clock.ts';
import { SluiceError } from '../../../../schemas/kernel/errors.ts';
import { parseDuration } from '../../../../topology/time/duration.ts';
import type { Waiting } from '../../../flink/rest/flink-jobs.ts';
import { FlinkRest } from '../../../flink/rest/flink-rest.ts';
import type { Output } from '../../output.ts';
import { noteOfPlain } from '../../plain-secret.ts';

export interface ClusterOptions {
  readonly url: string;
  /** Of the environment. */
  readonly authorizationFrom: string | undefined;
  readonly wait: string;
}

export interface Cluster {
  readonly rest: FlinkRest;
  readonly waiting: Waiting;
}

/** Throws `SluiceError` `option-invalid`. */
export function openCluster(
  { url, authorizationFrom, wait }: ClusterOptions,
  {
    env,
    clock,
    output,
  }: { readonly env: Environment; readonly clock: Clock; readonly output: Output },
): Cluster {
  const maxMs = parseDuration(wait);
  if (maxMs === undefined || maxMs < 1)
    throw new SluiceError(
      'option-invalid',
      `invalid --wait '${wait}': expected a time, such as 30s or 10m`,
    );
  const authorization =
    authorizationFrom === undefined ? undefined : secretOf(env, authorizationFrom);
  const address = addressOf(url);
  if (authorization !== undefined) noteOfPlain('the header Authorization', address, output);
  const rest = new FlinkRest({ url: address, authorization, clock });
  return { rest, waiting: { clock, maxMs, note: output.note } };
}

function addressOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new SluiceError(
      'option-invalid',
      // Before an '@' there may be a password: `user:secret@host` is read as a scheme `user`.
      `invalid --url${text.includes('@') ? '' : ` '${text}'`}: expected an address, such as http://127.0.0.1:8081`,
    );
  if (url.username !== '' || url.password !== '')
    throw new SluiceError('option-invalid', 'invalid --url: it has a user or a password in it', {
      fix: 'put the header Authorization into a variable of the environment, and name that with --authorization-from',
    });
  return url;
}

function secretOf(env: Environment, name: string): string {
  const value = env[name];
  if (value === undefined || value === '')
    throw new SluiceError(
      'option-invalid',
      `invalid --authorization-from '${name}': the variable is not set`,
      { fix: `set it, such as ${name}='Basic dXNlcjpwYXNz'` },
    );
  // What a header can carry; the value itself is never shown.
  if (!/^[\t\x20-\x7e]+$/.test(value))
    throw new SluiceError(
      'option-invalid',
      `invalid --authorization-from '${name}': its value has characters that a header cannot have`,
      { fix: 'set it to one line of printable ASCII' },
    );
  return value;
}
