/**
 * Schemas as values: a JSON Schema with the TypeScript type it describes, and Ajv behind one function.
 */

/** A JSON Schema document (draft 2020-12), as data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A schema and, for the compiler, the type of the values it accepts. Written by `sluice schema types`. */
export interface Schema<T> {
  /** The document's `$id`. */
  readonly id: string;
  readonly document: JsonSchema;
  /** Never present; carries `T`. */
  readonly accepts?: (value: T) => void;
}
