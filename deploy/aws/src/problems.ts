/**
 * What cannot work although each of the two files is right by itself. Pure.
 */
import type { Deployment } from './deployment.ts';

/** One line a problem: where, what, and what was expected. */
export function problemsOf(deployment: Deployment): readonly string[] {
  return [...bucketProblems(deployment), ...tableProblems(deployment), ...keptLong(deployment)];
}

function* bucketProblems({ config, stage }: Deployment): Iterable<string> {
  if (config.s3.bucket === undefined)
    yield `${config.file}: s3.bucket: is missing; expected the name of the bucket that is made`;
  for (const name of stage.lake.archive)
    if (!config.streams.some((stream) => stream.name === name))
      yield `lake.archive: there is no stream '${name}'; expected one of ${namesOf(config.streams)}`;
}

function* tableProblems({ config, tables }: Deployment): Iterable<string> {
  for (const name of Object.keys(config.sinks.firehose.tables))
    if (!tables.some((table) => table.name === name && table.deliveryStream !== undefined))
      yield `${config.file}: firehose.tables.${name}: no topology writes it; expected one of ${namesOf(tables)}`;
}

const dayMs = 86_400_000;

/** A record whose claim is gone cannot be read any more. */
function* keptLong({ stage, streams }: Deployment): Iterable<string> {
  for (const { name, kinesis } of streams) {
    const days = (kinesis?.retentionMs ?? 0) / dayMs;
    if (days >= stage.lake.claimsDays)
      yield `lake.claims_days: ${name} keeps records ${days} days; expected more than that`;
  }
}

const namesOf = (all: readonly { readonly name: string }[]): string =>
  all.map(({ name }) => name).join(', ');
