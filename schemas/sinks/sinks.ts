/**
 * What sinks write to in services: the one place that names all of them. A new one is a file beside
 * this and a line here; the configuration, the table of error codes and that of AWS' rights are
 * made of the list.
 */
import type { ValueOf } from '../config/setting.ts';
import { firehose } from './firehose.ts';
import { neo4j } from './neo4j.ts';
import type { SinkPart } from './sink-part.ts';

const parts = { firehose, neo4j } as const;

type Parts = typeof parts;
type PartName = keyof Parts;
/** Keys that any of the parts has. */
type KeyOf<Member extends 'codes' | 'rights'> = {
  [Name in PartName]: keyof Parts[Name][Member];
}[PartName];

const entries: readonly (readonly [string, SinkPart])[] = Object.entries(parts);

function byName<T>(of: (part: SinkPart, name: string) => T): Readonly<Record<string, T>> {
  return Object.fromEntries(entries.map(([name, part]) => [name, of(part, name)]));
}

type Sections = { readonly [Name in PartName]: Parts[Name]['section'] };
export const sinkSections = byName(({ section }) => section) as Sections;

/** Their values before they get the form in which the code wants them. */
type SinkValues = { readonly [Name in PartName]: ValueOf<Sections[Name]> };
export type SinkConfigs = { readonly [Name in PartName]: ReturnType<Parts[Name]['read']> };

export function sinkConfigsOf(values: SinkValues): SinkConfigs {
  return byName(({ read }, name) => read(values[name as PartName] as never)) as SinkConfigs;
}

export const sinkRules = entries.map(([, { rules }]) => rules);

export const sinkRights = merged('rights');
export const sinkPartCodes = merged('codes');

function merged<Member extends 'codes' | 'rights'>(
  member: Member,
): Readonly<Record<KeyOf<Member>, SinkPart[Member][string]>> {
  const all = entries.flatMap(([, part]) => Object.entries(part[member]));
  return Object.fromEntries(all) as Record<KeyOf<Member>, SinkPart[Member][string]>;
}
