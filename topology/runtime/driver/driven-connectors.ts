/**
 * What a topology under test looks up: the rows and functions that the test gives, as JSON of their
 * own, whatever the test goes on to do with them.
 */
import { SluiceError } from '../../../schemas/kernel/errors.ts';
import type { LookupFunction } from '../../operators/lookup/bounded-calls.ts';
import type { JobConnectors } from '../job-options.ts';
import type { DriverOptions } from './driven.ts';

export function drivenConnectors(
  options: Pick<DriverOptions, 'tables' | 'lookups'>,
): Pick<JobConnectors, 'table' | 'lookup'> {
  return {
    table: ({ file }) => {
      const rows = ownOf(options.tables, file);
      if (rows !== undefined) return Promise.resolve(asJson(rows));
      throw new SluiceError('lookup-table-missing', `the driver has no rows for '${file}'`, {
        fix: `createDriver(topology, { tables: { '${file}': [...] } })`,
      });
    },
    lookup: (name) => {
      const found = ownOf(options.lookups, name);
      if (found !== undefined) return answering(found);
      throw new SluiceError('connector-missing', `the driver has no connector '${name}'`, {
        fix: `createDriver(topology, { lookups: { '${name}': ... } })`,
      });
    },
  };
}

/** What is there under that name, and not what every object has. */
export function ownOf<T>(
  parts: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return parts !== undefined && Object.hasOwn(parts, name) ? parts[name] : undefined;
}

/** What comes from a file or a service. */
function asJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

function answering(call: LookupFunction): LookupFunction {
  return async (key, context) => {
    const answer = await call(key, context);
    return answer === undefined ? undefined : asJson(answer);
  };
}
