/**
 * The optional check of data against a JSON Schema (draft 2020-12) before an event is accepted.
 *
 * A stream that uses it pays for JSON.parse of its data, which the ingress otherwise avoids. The
 * client's own bytes are written all the same. Schemas are read and compiled once: a changed file
 * takes effect at the next start.
 */

import { readFileSync } from 'node:fs';
import type { StreamConfig } from '../schemas/config.ts';
import { mebi } from '../schemas/kernel/bytes.ts';
import type { OperationalCode } from '../schemas/kernel/error-codes.ts';
import { messageOf, SluiceError } from '../schemas/kernel/errors.ts';
import type { JsonSchema, SchemaCheck, SchemaViolation } from '../schemas/registry.ts';
import { compileSchema } from '../schemas/registry.ts';
import type { AcceptedEvent } from './event/given.ts';
import type { Refusal } from './event/refusal.ts';

/** Data that is parsed to be checked against a schema. */
export const checkedDataMaxBytes = 8 * mebi;

export interface DataCheck {
  /** What does not fit is refused, or taken with a warning. */
  readonly mode: 'reject' | 'warn';
  /** Why the data, its JSON text, does not fit; the first reason only. */
  misfit(event: Pick<AcceptedEvent, 'isWrapped'>, data: Buffer): Refusal | undefined;
}

/**
 * Undefined where the stream asks for none. Throws `SluiceError` `schema-unreadable`,
 * `schema-invalid`, with the file.
 */
export function loadDataCheck({ name, validate }: StreamConfig): DataCheck | undefined {
  if (validate === undefined) return undefined;
  const { mode, schemaFile } = validate;
  const check = compile(name, schemaFile);
  return {
    mode,
    misfit({ isWrapped }, data) {
      if (data.length > checkedDataMaxBytes) return tooLarge(data.length, isWrapped);
      const violation = violationOf(check, data);
      if (violation === undefined) return undefined;
      const { message, pointer, schema } = violation;
      return {
        status: 400,
        code: 'schema-invalid',
        message: `the data does not fit its schema: ${message}`,
        expected: `data that fits ${schema}`,
        pointer: isWrapped ? `/data${pointer}` : pointer,
      };
    },
  };
}

/** Parsed, data can take twenty times its bytes. */
function tooLarge(bytes: number, isWrapped: boolean): Refusal {
  return {
    status: 413,
    code: 'schema-data-too-large',
    message: `the data has ${bytes} bytes, and its stream checks data against a schema`,
    expected: `at most ${checkedDataMaxBytes} bytes on a stream with \`validate\``,
    pointer: isWrapped ? '/data' : '',
  };
}

function violationOf(check: SchemaCheck, data: Buffer): SchemaViolation | undefined {
  const value: unknown = JSON.parse(data.toString('utf8'));
  try {
    return check(value);
  } catch (thrown) {
    // A schema that recurses may run out of stack: that is no reason to take the event, nor to end
    // the process.
    return {
      message: `the schema cannot be applied to it (${messageOf(thrown)})`,
      pointer: '',
      schema: 'its schema',
    };
  }
}

function compile(stream: string, file: string): SchemaCheck {
  const failed = (code: OperationalCode, what: string, cause: unknown): SluiceError =>
    new SluiceError(
      code,
      `the schema of the stream '${stream}', ${file}, ${what}: ${messageOf(cause)}`,
      {
        cause,
        fix: 'correct the file, or set `schema` to another one (JSON Schema, draft 2020-12)',
      },
    );
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw failed('schema-unreadable', 'cannot be read', cause);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw failed('schema-invalid', 'is not a schema', 'expected an object');
  }
  try {
    return compileSchema(document as JsonSchema);
  } catch (cause) {
    throw failed('schema-invalid', 'does not compile', cause);
  }
}
