/**
 * HTTP/1.1 over a bare socket: bytes go out as they are given, and what comes back is read by the
 * letter of RFC 9112. A client library would refuse to send half of what a fuzzer says, and would
 * mend half of what it hears.
 */
import { connect } from 'node:net';
import type { Heard } from '../ingest/documented.ts';

export interface Conversation {
  readonly answers: readonly Heard[];
  /** Bytes behind the last whole answer. */
  readonly rest: Buffer;
  /** How the server left; `open` when it did not. */
  readonly end: 'open' | 'closed' | 'reset';
}

export interface ConversationOptions {
  /** Whether an answer, by its index, is one to HEAD: its length is that of no body. */
  readonly isHead?: (index: number) => boolean;
  /** The client leaves after so many answers. */
  readonly answers: number;
  /**
   * The client leaves when it has heard nothing for so long; where it has not heard anything at all
   * yet, for `firstMs`.
   */
  readonly quietMs: number;
  readonly firstMs?: number;
  /** Each piece waits for an answer to the one before; else all are sent at once. */
  readonly inTurns?: boolean;
}

/**
 * Sends `pieces`, and listens until there are as many answers as asked for, the server leaves, or
 * nothing comes.
 */
export function converse(
  port: number,
  pieces: readonly Uint8Array[],
  options: ConversationOptions,
): Promise<Conversation> {
  const {
    isHead = () => false,
    answers: wanted,
    quietMs,
    firstMs = quietMs,
    inTurns = false,
  } = options;
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let heard = Buffer.alloc(0);
    const answers: Heard[] = [];
    let reset = false;
    let connected = false;
    const leave = (end: Conversation['end']): void => {
      clearTimeout(quiet);
      // Without waiting: thousands of connections that do would use up the ports of the machine.
      socket.resetAndDestroy();
      resolve({ answers, rest: heard, end });
    };
    let quiet = setTimeout(() => leave('open'), firstMs);
    socket.on('data', (chunk) => {
      clearTimeout(quiet);
      quiet = setTimeout(() => leave('open'), quietMs);
      heard = Buffer.concat([heard, chunk]);
      try {
        for (;;) {
          const read = readAnswer(heard, isHead(answers.length));
          if (read === undefined) break;
          heard = heard.subarray(read.length);
          if (read.answer.status === 100) continue;
          answers.push(read.answer);
          if (answers.length >= wanted) return leave('open');
          if (inTurns) send(answers.length);
        }
      } catch (thrown) {
        clearTimeout(quiet);
        socket.destroy();
        reject(thrown);
      }
    });
    socket.once('error', (error) => {
      reset = true;
      if (!connected) reject(error);
    });
    socket.once('close', () => leave(reset ? 'reset' : 'closed'));
    const send = (index: number): void => {
      const piece = pieces[index];
      if (piece === undefined || socket.destroyed) return;
      socket.write(piece, () => {
        if (!inTurns) setImmediate(send, index + 1);
      });
    };
    socket.once('connect', () => {
      connected = true;
      send(0);
    });
  });
}

/**
 * The first answer in `bytes` and its length; undefined when it is not whole. Throws when it is
 * none.
 */
function readAnswer(
  bytes: Buffer,
  isHead: boolean,
): { readonly answer: Heard; readonly length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [first = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = /^HTTP\/1\.1 ([1-5]\d\d) [\x20-\x7e]+$/.exec(first)?.[1];
  if (status === undefined) throw new Error(`the status line is '${first}'`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)$/.exec(line);
    if (parts === null) throw new Error(`a header is ${JSON.stringify(line)}`);
    const name = (parts[1] ?? '').toLowerCase();
    const before = headers[name];
    headers[name] = before === undefined ? (parts[2] ?? '') : `${before}, ${parts[2] ?? ''}`;
  }
  const start = headEnd + 4;
  const made = (body: Buffer, length: number): { answer: Heard; length: number } => ({
    answer: { status: Number(status), headers, body },
    length,
  });
  if (isHead || status === '204' || status === '101' || status === '100')
    return made(Buffer.alloc(0), start);
  if (headers['transfer-encoding'] === 'chunked') return readChunks(bytes, start, made);
  // An answer of the parser has no length: it lasts until the connection ends, and is short.
  const { 'content-length': said } = headers;
  if (said === undefined) return made(bytes.subarray(start), bytes.length);
  if (!/^\d+$/.test(said)) throw new Error(`the length is '${said}'`);
  const length = start + Number(said);
  return bytes.length < length ? undefined : made(bytes.subarray(start, length), length);
}

function readChunks<T>(
  bytes: Buffer,
  from: number,
  made: (body: Buffer, length: number) => T,
): T | undefined {
  const chunks: Buffer[] = [];
  for (let at = from; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const said = bytes.toString('latin1', at, lineEnd);
    if (!/^[0-9A-Fa-f]+$/.test(said)) throw new Error(`a chunk's length is '${said}'`);
    const size = Number.parseInt(said, 16);
    const end = lineEnd + 2 + size;
    if (bytes.length < end + 2) return undefined;
    if (bytes.toString('latin1', end, end + 2) !== '\r\n') throw new Error('a chunk does not end');
    if (size === 0) return made(Buffer.concat(chunks), end + 2);
    chunks.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}
