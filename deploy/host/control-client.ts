/**
 * Asks the instance that runs on a folder, over its control socket.
 */
import { request } from 'node:http';
import { mebi } from '../../schemas/kernel/bytes.ts';
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import { limits } from '../../schemas/limits.ts';
import { findControlSocket } from './control-place.ts';

/** What a command is answered. */
const controlAnswerMaxBytes = 64 * mebi;

export interface ControlReply {
  readonly status: number;
  readonly body: string;
}

/**
 * GET without a `command`, else POST of it as JSON. Throws `SluiceError` `not-reachable`,
 * `control-not-trusted`.
 */
export async function askControl(
  dir: string,
  path: string,
  command?: unknown,
): Promise<ControlReply> {
  const socketPath = findControlSocket(dir);
  try {
    return await exchange(
      socketPath,
      path,
      command === undefined ? undefined : JSON.stringify(command),
    );
  } catch (cause) {
    throw new SluiceError(
      'not-reachable',
      `the instance on ${dir} does not answer: ${messageOf(cause)}`,
      {
        cause,
        retryable: true,
        fix: `look at its log; it answers commands at ${socketPath}`,
      },
    );
  }
}

function exchange(
  socketPath: string,
  path: string,
  body: string | undefined,
): Promise<ControlReply> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const headers =
      body === undefined
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const asked = request(
      { socketPath, path, method, headers, timeout: limits.controlAnswerMaxMs },
      (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > controlAnswerMaxBytes)
            asked.destroy(new Error(`its answer has more than ${controlAnswerMaxBytes} bytes`));
          else chunks.push(chunk);
        });
        answer.once('error', reject);
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    asked.once('timeout', () =>
      asked.destroy(new Error(`no answer within ${limits.controlAnswerMaxMs / 1_000} s`)),
    );
    asked.once('error', reject);
    asked.end(body);
  });
}
