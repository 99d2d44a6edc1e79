/**
 * What the services may do: the policies of docs/operating/policies, which are generated from the
 * calls that the code makes (test/tools/policies.ts). A call without its right fails the tests
 * there, so the roles here follow the code, and the page shows what is deployed.
 *
 * Invariant: each statement of a policy has its resources here; one that is new fails the synthesis
 * until it is said what it is on.
 */
import { readFileSync } from 'node:fs';
import type { Right } from './roles.ts';

export const services = ['ingest', 'enrich', 'topics'] as const;
export type Service = (typeof services)[number];
/** Whose policy it is: that of a service's pods, or of the jobs of Flink. */
export type Policyholder = Service | 'flink';

/** Statements by their `Sid`. */
type Statements = ReadonlyMap<string, readonly string[]>;

interface Policy {
  readonly Statement: readonly { readonly Sid: string; readonly Action: readonly string[] }[];
}

function statementsOf(service: Policyholder): Statements {
  const file = new URL(`../../../docs/operating/policies/${service}.json`, import.meta.url);
  const { Statement } = JSON.parse(readFileSync(file, 'utf8')) as Policy;
  return new Map(Statement.map(({ Sid, Action }) => [Sid, Action]));
}

/** What a policy's statements are on; an empty list: the deployment does not use it. */
export interface Places {
  readonly Streams: readonly string[];
  readonly ConsumersOfFanOut: readonly string[];
  readonly Bucket: readonly string[];
  readonly Objects: readonly string[];
  /** Of the bucket, too: what jobs of Flink only read. */
  readonly Claims?: readonly string[];
  readonly DeliveryStreams: readonly string[];
  readonly KeyWhereYoursEncrypts: readonly string[];
  /** From here on: of the role for Kafka. */
  readonly Cluster: readonly string[];
  readonly Topics: readonly string[];
  /** In which jobs of Flink say how far they are. */
  readonly Groups?: readonly string[];
}

const ofKafka: ReadonlySet<string> = new Set(['Cluster', 'Topics', 'Groups']);

/**
 * Streams are made and altered by their stack alone, so `sluice topics` may only look at them; and a
 * consumer is registered only where there are consumers.
 */
function isUsed(action: string, service: Policyholder, places: Places): boolean {
  if (service === 'topics' && action.startsWith('kinesis:'))
    return /:(?:Describe|List)/.test(action);
  return action !== 'kinesis:RegisterStreamConsumer' || places.ConsumersOfFanOut.length > 0;
}

/** The rights of a service's pods, or of a job, and those on Kafka, for which pods have a role. */
export function rightsOf(
  service: Policyholder,
  places: Places,
): { readonly pod: readonly Right[]; readonly kafka: readonly Right[] } {
  const rights = [...statementsOf(service)].flatMap(([sid, actions]): Right[] => {
    const on = (places as unknown as Readonly<Record<string, readonly string[] | undefined>>)[sid];
    if (on === undefined)
      throw new Error(
        `the policy of ${service} has '${sid}': src/rights.ts says not what it is on`,
      );
    const used = actions.filter((action) => isUsed(action, service, places));
    return on.length === 0 ? [] : [{ sid, actions: used, on }];
  });
  return {
    pod: rights.filter(({ sid }) => !ofKafka.has(sid)),
    kafka: rights.filter(({ sid }) => ofKafka.has(sid)),
  };
}
