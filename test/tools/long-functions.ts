/** How long a function of the product may be, and those that are longer until they are parted. */
export const functionMaxLines = 70;

/** File and name. A function that is short enough leaves the list; none comes in. */
export const toBeShortened: readonly string[] = [
  'deploy/services/enrich-checks.ts enrichChecks',
  'deploy/stores/local/local-lake-files.ts lakeFiles',
  'deploy/streams/kafka/kafka-reader.ts ask',
  'deploy/streams/kafka/kafka-reader.ts createKafkaReader',
  'deploy/streams/kinesis/fan-out-client.ts fanOutApi',
  'enrich/graph/graph-database.ts cypherDatabase',
  'enrich/graph/ladybug-database.ts openLadybug',
  'enrich/graph/neo4j-session.ts createNeo4jSession',
  'topology/examples/flights/topology.ts a function without a name',
];
