/**
 * A question and its reply as they pass between a process and the child that it asks.
 */

import type { Answer } from '../../enrich/answer.ts';
import type { OperationalCode } from '../../schemas/kernel/error-codes.ts';

export type Question =
  /** `file` is a graph that nobody writes. */
  | { readonly kind: 'graph'; readonly file: string; readonly statement: string }
  | {
      readonly kind: 'lake';
      readonly lake: string;
      readonly sql: string;
      readonly maxRows: number;
    };

export type QuestionReply =
  | { readonly ok: true; readonly answer: Answer }
  | {
      readonly ok: false;
      readonly code: OperationalCode;
      readonly message: string;
      readonly fix: string | undefined;
    };
