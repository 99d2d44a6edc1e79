/**
 * Binds the look-ups of a topology: reads its file tables, and finds connectors by their names.
 */
import { messageOf, SluiceError } from '../../schemas/kernel/errors.ts';
import type { Key } from '../../schemas/kernel/key.ts';
import { compileSchema } from '../../schemas/registry.ts';
import { keyTextOf } from '../operators/key-text.ts';
import type { LookupFunction } from '../operators/lookup/bounded-calls.ts';
import type { LookupFile } from '../operators/lookup/node.ts';
import type { Plan } from '../plan/plan.ts';
import { freezeWhole } from '../state/freeze.ts';
import type { JobConnectors } from './job-options.ts';

export interface Connections {
  readonly tables: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly lookups: ReadonlyMap<string, LookupFunction>;
}

/**
 * Throws `SluiceError` `lookup-table-invalid`, and what the connectors throw for a file or a name
 * that is not there.
 */
export async function connect(
  plan: Plan,
  connectors: Pick<JobConnectors, 'table' | 'lookup'>,
): Promise<Connections> {
  const tables = new Map<string, ReadonlyMap<string, unknown>>();
  const lookups = new Map<string, LookupFunction>();
  for (const node of plan.nodes) {
    if (node.kind !== 'lookup') continue;
    if (node.lookup.from === 'file')
      tables.set(node.id, indexTable(node.lookup, await connectors.table(node.lookup)));
    else if (node.lookup.from === 'connector')
      lookups.set(node.id, connectors.lookup(node.lookup.name));
  }
  return { tables, lookups };
}

/** By its key's encoding. Throws `SluiceError` `lookup-table-invalid`. */
export function indexTable(
  { file, key, schema }: LookupFile,
  rows: readonly unknown[],
): ReadonlyMap<string, unknown> {
  const check = compileSchema(schema.document);
  const indexed = new Map<string, unknown>();
  rows.forEach((row, index) => {
    const refuse = (message: string): never => {
      throw new SluiceError('lookup-table-invalid', `${file}, row ${index + 1}: ${message}`, {
        fix: `correct the file, or the schema ${schema.id}`,
      });
    };
    const violation = check(row);
    if (violation !== undefined) refuse(`${violation.pointer ?? ''} ${violation.message}`.trim());
    const members = (row ?? {}) as Readonly<Record<string, Key>>;
    const found = Object.hasOwn(members, key) ? members[key] : undefined;
    let text: string;
    try {
      text = keyTextOf(found, undefined);
    } catch (thrown) {
      return refuse(`its ${key} is not a valid key: ${messageOf(thrown)}`);
    }
    if (indexed.has(text))
      refuse(`its ${key} ${text.slice(1)} appears twice; a table must have one row per key`);
    indexed.set(text, freezeWhole(row));
  });
  return indexed;
}
