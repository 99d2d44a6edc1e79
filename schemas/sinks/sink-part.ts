/**
 * What everybody has to know of what a sink writes to: its section of the configuration, the rights
 * it needs and its error codes. The contract between its file and the list of all of them
 * (sinks.ts); how rows get there is in enrich and deploy.
 */
import type { AwsRight } from '../aws-rights.ts';
import type { SectionRules } from '../config/rule.ts';
import type { SettingSchema } from '../config/setting.ts';
import type { OperationalEntry } from '../kernel/codes/entry.ts';

export interface SinkPart {
  /** Of the configuration, under the part's name. */
  readonly section: SettingSchema;
  /** What cannot work together in it. */
  readonly rules: SectionRules<unknown>;
  /** Its values in the form in which the code wants them. */
  readonly read: (values: never) => unknown;
  /** By service and call, as the SDK of AWS names them. */
  readonly rights: Readonly<Record<string, readonly AwsRight[]>>;
  /** Operational faults that nothing else has. */
  readonly codes: Readonly<Record<string, OperationalEntry>>;
}
