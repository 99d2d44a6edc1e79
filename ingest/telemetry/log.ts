/**
 * The ingress' log (pino): one JSON object a line, or a line for a person. At info nothing is said
 * on the hot path; at debug a line a request. No body, key, token or query is ever logged, and no
 * user information of an address.
 *
 * Invariant: whatever a client sent, an entry is one line of printable text. Control characters,
 * line separators and what turns the direction of text are written as JSON escapes, which mean the
 * same to whoever parses the line.
 */
import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { pino } from 'pino';
import type { LogLevel } from '../../schemas/config.ts';
import { maskAddresses } from '../../schemas/config-secrets.ts';
import { printable } from '../../schemas/kernel/printable.ts';

/** What the ingress needs of a logger. */
export interface Log {
  isLevelEnabled(level: 'debug'): boolean;
  debug(facts: object, message: string): void;
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export const silentLog: Log = pino({ level: 'silent' });

export function createLog(options: {
  readonly level: LogLevel;
  readonly json: boolean;
  readonly to: Writable;
}): Log {
  const settings = { level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const write = (line: string): boolean => {
    const text = printable(options.json ? line : readable(line));
    return options.to.write(text.includes('//') ? maskAddresses(text) : text);
  };
  return pino(settings, { write }) satisfies Logger;
}

const levelNames: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
};

/** `2026-01-01T00:00:00.000Z warn: breaker open (path kinesis, stream a/b)` */
function readable(line: string): string {
  const { level, time, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
  const told = Object.entries(facts).map(([name, value]) => `${unquoted(name)} ${unquoted(value)}`);
  return `${String(time)} ${levelNames[Number(level)] ?? String(level)}: ${unquoted(msg)}${told.length === 0 ? '' : ` (${told.join(', ')})`}\n`;
}

/** A value as JSON, of a text what is between its quotes: a line break in it ends no line. */
function unquoted(value: unknown): string {
  const json = JSON.stringify(value) ?? '';
  return typeof value === 'string' ? json.slice(1, -1) : json;
}
