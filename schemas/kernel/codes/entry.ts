/** What the tables of codes say of one code. */

/** Whether the same thing, done again later, can succeed; for some codes the message says. */
type Retryable = boolean | 'sometimes';

export interface CodeEntry {
  /** One plain sentence. */
  readonly means: string;
  /** What to do about it. */
  readonly fix: string;
}

/** Refused at the ingress: a value, which becomes an answer. */
export interface RefusedEntry extends CodeEntry {
  /** Of the answer; 200 where the event is accepted all the same. */
  readonly status: readonly number[];
  readonly retryable: Retryable;
}

/** Rejected in a topology: a value, which becomes a row. */
export type RejectedEntry = CodeEntry;

/** An operational fault: a `SluiceError`. */
export interface OperationalEntry extends CodeEntry {
  readonly retryable: Retryable;
}
