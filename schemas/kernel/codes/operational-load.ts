/** Operational faults of `sluice load` and of what merges its reports. */
import type { OperationalEntry } from './entry.ts';

export const loadCodes = {
  'connections-invalid': {
    retryable: false,
    means: '`--connections` is not a whole number above 0.',
    fix: 'Write a number such as `8`.',
  },
  'duration-invalid': {
    retryable: false,
    means: '`--duration` is not a time.',
    fix: 'Write a time such as `30s` or `5m`.',
  },
  'keys-invalid': {
    retryable: false,
    means: '`--keys` is not a whole number above 0.',
    fix: 'Write a number such as `1000`.',
  },
  'load-remote': {
    retryable: false,
    means: '`sluice load` was pointed at another machine.',
    fix: 'Add `--remote` if that is meant.',
  },
  'part-invalid': {
    retryable: false,
    means: 'The part of a load that an injector has is not one of `--parts`.',
    fix: 'Write `--part` from 0 on, or run the injectors as an Indexed Job.',
  },
  'parts-invalid': {
    retryable: false,
    means: '`--parts` is not a number of injectors.',
    fix: 'Write a whole number above 0.',
  },
  'protocol-invalid': {
    retryable: false,
    means: '`--protocol` is not known.',
    fix: 'Use `http` or `ws`.',
  },
  'ramp-invalid': {
    retryable: false,
    means: '`--ramp` is not a range of rates, or contradicts `--rate`.',
    fix: 'Write `FROM:TO` in events a second.',
  },
  'rate-invalid': {
    retryable: false,
    means: '`--rate` is not a whole number above 0.',
    fix: 'Write events a second, such as `4500`.',
  },
  'rate-missing': {
    retryable: false,
    means: '`sluice load` needs a rate.',
    fix: 'Add `--rate` or `--ramp`.',
  },
  'report-invalid': {
    retryable: false,
    means: '`sluice load merge` found no report in a file, or one that is damaged.',
    fix: 'Pass what `sluice --json load` printed.',
  },
  'report-missing': {
    retryable: false,
    means: 'The report of a part of the load is missing.',
    fix: 'Pass the reports of all parts, or `--partial`.',
  },
  'reports-mixed': {
    retryable: false,
    means: 'The reports are not of one load, or one of them is there twice.',
    fix: 'Merge reports of injectors that were started with the same options and `--start-at`.',
  },
  'size-invalid': {
    retryable: false,
    means: '`--size` is not a size.',
    fix: 'Write a size such as `200b`, `5kb` or `1mb`.',
  },
  'start-at-invalid': {
    retryable: false,
    means: '`--start-at` is not a time ahead, or is missing where several injectors share a load.',
    fix: 'Write the same time for all of them, some minutes ahead.',
  },
} as const satisfies Readonly<Record<string, OperationalEntry>>;
