/**
 * What the reference says of a kind of node, as data: docs/reference/operators.md is made of it.
 * Texts are Markdown. Whoever changes an operator changes them beside it.
 */

export interface OptionDocs {
  /** What may be given: a duration, one of several words, an amount with its unit. */
  readonly value: string;
  /** Absent: it must be given. */
  readonly byDefault?: string;
  readonly summary: string;
}

/** An option has its docs, or it does not compile: `{ ... } satisfies DocsOf<WindowOptions>`. */
export type DocsOf<Options> = Readonly<Record<keyof Options & string, OptionDocs>>;

/** What an author writes, and what it is in SQL. */
export type SqlDocs = readonly [sql: string, here: string];

export interface KindDocs {
  /** How it is called. */
  readonly call: string;
  readonly sql?: readonly SqlDocs[];
  readonly summary: string;
  readonly options?: Readonly<Record<string, OptionDocs>>;
  readonly outputs: string;
  /** What becomes of late elements; absent: it does not look at time. */
  readonly lateness?: string;
  /** What it keeps in checkpoints. */
  readonly state: string;
  /** A module that compiles with the streams `clicks` and `views`, which the page imports. */
  readonly example: string;
  /** What else there is to say, with headings of level 3. */
  readonly more?: string;
}

/** What the reference says of a kind of sink, below `sink`. */
export type SinkDocs = Pick<KindDocs, 'call' | 'summary' | 'options' | 'example'>;

/** A duration as options have it. */
export const durationText = "`'10s'`, `'5m'`, `'1h'`, `'1d'` or milliseconds";

/** The option `late` of operators with the side output `late`. */
export const lateOption: OptionDocs = {
  value: "`'drop'` or `'side'`",
  byDefault: "`'drop'`",
  summary: 'Late elements are dropped and counted, or emitted as the side output `late`',
};
